//! What flags say of single plugins, over the sections `[limits]` and `[plugins.NAME]` of the configuration.

use crate::config::{Config, Grant, LimitsLayer, check_name};
use clap::Args;
use std::str::FromStr;

/// The flags of bounds, settings and hosts.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PluginFlags {
    /// A bound, by its key in [limits], such as call_deadline_ms=5s; without PLUGIN it is that of every plugin which has
    /// none of its own. Repeatable
    #[arg(long = "limit", value_name = "[PLUGIN.]KEY=VALUE")]
    limits: Vec<LimitFlag>,
    /// A setting that the guest of a plugin reads through wasi:config/store. Repeatable
    #[arg(long = "setting", value_name = "PLUGIN.KEY=VALUE")]
    settings: Vec<SettingFlag>,
    /// A host that a handler may send requests to, beside those of the configuration. Repeatable
    #[arg(long, value_name = "PLUGIN=HOST[:PORT]")]
    outbound: Vec<OutboundFlag>,
}

#[derive(Clone, Debug)]
struct LimitFlag {
    plugin: Option<String>,
    layer: LimitsLayer,
}

#[derive(Clone, Debug)]
struct SettingFlag {
    plugin: String,
    key: String,
    value: String,
}

#[derive(Clone, Debug)]
struct OutboundFlag {
    plugin: String,
    grant: Grant,
}

impl PluginFlags {
    /// Lays what was said over the configuration.
    pub(super) fn lay_over(self, config: &mut Config) {
        for LimitFlag { plugin, layer } in self.limits {
            let below = match plugin {
                Some(name) => &mut config.plugins.entry(name).or_default().limits,
                None => &mut config.limits,
            };
            *below = std::mem::take(below).under(layer);
        }
        for SettingFlag { plugin, key, value } in self.settings {
            config.plugins.entry(plugin).or_default().settings.insert(key, value);
        }
        for OutboundFlag { plugin, grant } in self.outbound {
            config.plugins.entry(plugin).or_default().outbound.push(grant);
        }
    }
}

impl FromStr for LimitFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let key = text.split('=').next().unwrap_or_default();
        let (plugin, bound) = match key.split_once('.') {
            Some((plugin, _)) => (Some(plugin.to_owned()), &text[plugin.len() + 1..]),
            None => (None, text),
        };
        plugin.as_deref().map_or(Ok(()), check_name)?;
        Ok(Self { plugin, layer: bound.parse()? })
    }
}

impl FromStr for SettingFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(key, value)| Some((key.split_once('.')?, value)));
        let Some(((plugin, key), value)) = parts.filter(|((_, key), _)| !key.is_empty()) else {
            return Err(format!("`{text}` is not PLUGIN.KEY=VALUE, such as downcase.greeting=hello"));
        };
        check_name(plugin)?;
        Ok(Self { plugin: plugin.to_owned(), key: key.to_owned(), value: value.to_owned() })
    }
}

impl FromStr for OutboundFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((plugin, host)) = text.split_once('=') else {
            return Err(format!("`{text}` is not PLUGIN=HOST[:PORT], such as fetch=api.example.com"));
        };
        check_name(plugin)?;
        Ok(Self { plugin: plugin.to_owned(), grant: host.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_lie_over_the_configuration() {
        let text = "[limits]\ncalls_max = 3\n[plugins.a.limits]\ncalls_max = 4\nreplies_max = 5\n\
                    [plugins.a]\noutbound = ['x.example']\n[plugins.a.settings]\nk = 'file'\nother = 'file'";
        let mut config: Config = toml::from_str(text).expect("a configuration");
        let flags = PluginFlags {
            limits: ["calls_max=6", "a.calls_max=7", "b.call_deadline_ms=2s", "a.delay_ms_max=9"]
                .map(|text| text.parse().expect(text))
                .into(),
            settings: ["a.k=flag=1", "b.dotted.key="].map(|text| text.parse().expect(text)).into(),
            outbound: vec!["a=y.example:81".parse().expect("a host")],
        };
        flags.lay_over(&mut config);
        let (a, b) = (config.limits_of("a"), config.limits_of("b"));
        assert_eq!((a.calls_max, a.replies_max, a.delay_ms_max), (7, 5, 9));
        assert_eq!((b.calls_max, b.call_deadline_ms), (6, 2_000));
        let settings = config.settings_of("a");
        assert_eq!((settings["k"].as_str(), settings["other"].as_str()), ("flag=1", "file"));
        assert_eq!(config.settings_of("b")["dotted.key"], "");
        let hosts: Vec<_> = config.outbound_of("a").iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["x.example", "y.example:81"]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, word) in [
            ("calls_max", "`calls_max` is not KEY=VALUE"),
            ("calls=1", "unknown field `calls`"),
            ("a.calls_max=0", "0 is not between 1 and 1000"),
            ("a.call_deadline_ms=5", ""),
            ("A.calls_max=1", "`A`"),
            ("a.calls_max=many", "calls_max"),
        ] {
            match text.parse::<LimitFlag>() {
                Ok(_) => assert!(word.is_empty(), "{text} is taken"),
                Err(error) => assert!(!word.is_empty() && error.contains(word), "{text}: {error}"),
            }
        }
        for text in ["k=v", "a.=v", "a.k", ".k=v", "A.k=v"] {
            text.parse::<SettingFlag>().expect_err(text);
        }
        for text in ["a", "a=", "a=http://x", "=x"] {
            text.parse::<OutboundFlag>().expect_err(text);
        }
    }
}
