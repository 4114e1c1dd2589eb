//! The proxies on the way to registries: those of the environment, and none to this machine.

/// What the variables say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proxies {
    pub(super) https: Option<String>,
    pub(super) http: Option<String>,
    /// Who is asked without one, as in NO_PROXY.
    pub(super) none_for: String,
}

/// To a proxy, these names mean the machine that it runs on.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

impl Proxies {
    /// As `variable` gives them. An empty one is not set.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            [name.to_owned(), name.to_ascii_lowercase()]
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        };
        // In a CGI program, HTTP_PROXY may come from the `Proxy` header of a request.
        let called = variable("REQUEST_METHOD").is_some();
        let proxy = |name| if called { None } else { set(name).or_else(|| set("ALL_PROXY")) };
        let others = set("NO_PROXY").map(|names| format!("{names},")).unwrap_or_default();
        Self { https: proxy("HTTPS_PROXY"), http: proxy("HTTP_PROXY"), none_for: format!("{others}{THIS_MACHINE}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_leads_to_this_machine_by_a_proxy() {
        let of = |variables: &[(&str, &str)]| {
            Proxies::of(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let some = |text: &str| Some(text.to_owned());
        let none = of(&[("HTTPS_PROXY", ""), ("NO_PROXY", "")]);
        assert_eq!(none, Proxies { https: None, http: None, none_for: THIS_MACHINE.to_owned() });
        let all = of(&[("ALL_PROXY", "http://a"), ("https_proxy", "http://b"), ("no_proxy", "x.org")]);
        assert_eq!((all.https, all.http), (some("http://b"), some("http://a")));
        assert_eq!(all.none_for, format!("x.org,{THIS_MACHINE}"));
        assert_eq!(of(&[("HTTP_PROXY", "http://a"), ("REQUEST_METHOD", "GET")]).http, None);
    }
}
