//! What the rest of the configuration stands for, in the notation of sockets, flows and routes.

use crate::config::Config;
use std::collections::BTreeSet;
use toml::Value;

const PREFACE: &str = "
# [messaging] and the plugins stand for these sockets, flows and routes, which need not be written:
";

impl Config {
    /// Comments in TOML, to stand behind the keys: the sockets, flows and routes that there are beside those that are
    /// written as such.
    pub fn implied_streams(&self) -> String {
        let sections = [self.implied_publisher(), self.implied_frontend(), self.implied_routes()].concat();
        let comment = |section: Vec<String>| {
            let lines = section.into_iter().map(|line| format!("# {line}\n"));
            "\n".to_owned() + &lines.collect::<String>()
        };
        let sections: String = sections.into_iter().map(comment).collect();
        if sections.is_empty() { sections } else { PREFACE.to_owned() + &sections }
    }

    fn implied_publisher(&self) -> Vec<Vec<String>> {
        let Some(endpoint) = &self.messaging.publish.0 else { return Vec::new() };
        let on_full = self.publisher.on_full;
        vec![vec![
            "[sockets.publish]".to_owned(),
            "type = \"pub\"".to_owned(),
            format!("bind = {}", list([endpoint])),
            format!("on_full = \"{on_full}\""),
        ]]
    }

    /// A socket of one's own can have the frontend's type only where WebSockets reach it.
    fn implied_frontend(&self) -> Vec<Vec<String>> {
        let Some(endpoint) = &self.messaging.frontend.0 else { return Vec::new() };
        let on_full = self.broker.on_full;
        let through = match &self.messaging.policy {
            Some(policy) => format!("through = {}", list([policy])),
            None => "through = [\"random-replies\"] # if that is loaded, else the only reply policy that is".to_owned(),
        };
        let socket = vec![
            "[sockets.frontend]".to_owned(),
            "type = \"router\"".to_owned(),
            format!("bind = {}", list([endpoint])),
            format!("on_full = \"{on_full}\""),
        ];
        let flow = vec![
            "[flows.frontend]".to_owned(),
            "from = [\"frontend\"]".to_owned(),
            through,
            "to = [\"frontend\"]".to_owned(),
        ];
        match self.frontend_flow() {
            Some(_) => vec![socket],
            None => vec![socket, flow],
        }
    }

    /// A route for each plugin that is named, and what those say that leave something out. Which plugins answer HTTP is known
    /// once they are loaded.
    fn implied_routes(&self) -> Vec<Vec<String>> {
        let named = self.plugins.iter().filter(|(_, plugin)| plugin.path.is_some()).map(|(name, _)| name);
        let unsaid =
            named.filter(|name| !self.routes.contains_key(*name) && Some(*name) != self.messaging.policy.as_ref());
        let half_said = self.routes.iter().filter(|(_, route)| route.through.is_empty() || route.to.is_none());
        let names: BTreeSet<_> = unsaid.chain(half_said.map(|(name, _)| name)).collect();
        let section = |name: &String| {
            let condition = if self.routes.contains_key(name) { "" } else { " # if the plugin answers HTTP" };
            vec![
                format!("[routes.{name}]{condition}"),
                format!("through = {}", list(self.route_through(name))),
                format!("to = {}", list(self.route_sinks(name))),
            ]
        };
        names.into_iter().map(section).collect()
    }
}

/// As TOML has it, in one line whatever is in the texts.
fn list<T: Into<String> + Clone>(texts: impl IntoIterator<Item = T>) -> Value {
    Value::Array(texts.into_iter().map(|text| Value::String(text.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comments without what makes them comments.
    fn implied(text: &str) -> toml::Table {
        let config: Config = toml::from_str(text).expect("a configuration");
        let comments = config.implied_streams();
        assert!(comments.lines().all(|line| line.is_empty() || line.starts_with("# ")), "{comments}");
        let lines =
            comments.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| !line.ends_with("written:"));
        lines.map(|line| format!("{line}\n")).collect::<String>().parse().expect("TOML")
    }

    #[test]
    fn what_is_written_short_is_shown_at_length() {
        let shown = implied(
            "[messaging]\npublish = 'ipc:///tmp/a\"b'\npolicy = 'p'\n[publisher]\non_full = 'block'\n\
             [plugins.p]\npath = 'p.wasm'\n[plugins.a]\npath = 'a.wasm'\n[plugins.b]\n\
             [plugins.c]\npath = 'c.wasm'\n[routes.c]\nthrough = ['a', 'c']\n[routes.d]\nthrough = ['a']\nto = []\n",
        );
        let expected = "[sockets]\npublish = { type = 'pub', bind = ['ipc:///tmp/a\"b'], on_full = 'block' }\n\
             frontend = { type = 'router', bind = ['tcp://127.0.0.1:5570'], on_full = 'drop-newest' }\n\
             [flows]\nfrontend = { from = ['frontend'], through = ['p'], to = ['frontend'] }\n\
             [routes]\na = { through = ['a'], to = ['publish'] }\nc = { through = ['a', 'c'], to = ['publish'] }\n";
        assert_eq!(shown, expected.parse().expect("TOML"));
        let shown = implied("[messaging]\npublish = 'none'\n[plugins.a]\npath = 'a.wasm'\n");
        assert_eq!(shown["flows"]["frontend"]["through"], list(["random-replies"]));
        assert_eq!(shown["routes"]["a"]["to"], list::<String>([]));
        assert_eq!(shown["sockets"].get("publish"), None);
        assert!(implied("[messaging]\npublish = 'none'\nfrontend = 'none'\n").is_empty());
        let shown = implied("[flows.own]\nfrom = ['frontend']\nthrough = ['a']\n");
        assert!(shown["sockets"].get("frontend").is_some() && shown.get("flows").is_none(), "{shown}");
    }
}
