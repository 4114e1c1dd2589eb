//! What is configured of sockets, flows and routes is checked as a whole, before anything binds.

use crate::harness::{Process, Setup, root};

/// Sockets and flows with one mistake: `to` names a socket that is not there.
const MISTAKEN: &str = "\
[sockets.ticks]
type = \"sub\"
connect = [\"tcp://127.0.0.1:5556\"]

[sockets.archive]
type = \"push\"
connect = [\"tcp://127.0.0.1:5557\"]

[flows.clean]
from = [\"ticks\"]
to = [\"publish\", \"archives\"]
";

#[test]
fn a_mistake_is_refused_with_2_its_line_and_a_remedy() {
    let setup = Setup::new().committed("downcase").config(MISTAKEN);
    for print_config in [false, true] {
        let mut command = setup.command();
        command.args(print_config.then_some("--print-config"));
        let mut process = Process::start(&mut command);
        assert_eq!(process.wait().code(), Some(2), "{}", process.stderr());
        assert_eq!(process.stdout(), "");
        let stderr = process.stderr();
        let error = "error at line 11, column 18\n   |\n11 | to = [\"publish\", \"archives\"]\n   |                  ^^^^^^^^^^\n\
                     flows.clean.to[1]: no socket is named `archives`: did you mean `archive`?\n";
        assert!(stderr.starts_with("error: configuration ") && stderr.ends_with(error), "{stderr}");
    }
}

/// Flags have the last word over the file, in what they take away as in what they add.
#[test]
fn flags_are_a_part_of_the_whole() {
    let publishing = MISTAKEN.replace("archives", "archive");
    let secret = "[sockets.jobs]\ntype = \"pull\"\nbind = [\"tcp://127.0.0.1:*\"]\ncurve = true\n";
    for (config, flags, code, words) in [
        (publishing.as_str(), &[][..], 0, ""),
        (&publishing, &["--publish=none"], 2, "flows.clean.to[0]: messaging.publish is none"),
        (secret, &[], 2, "sockets.jobs.curve: curve.secret_key_file is not set"),
        (secret, &["--curve-secret-key=key", "--curve-authorized-keys=keys"], 0, ""),
    ] {
        let setup = Setup::new().config(config).with(flags).with(&["--print-config"]);
        let mut process = Process::start(&mut setup.command());
        assert_eq!(process.wait().code(), Some(code), "{}", process.stderr());
        assert!(process.stderr().contains(words), "{}", process.stderr());
    }
}

#[test]
fn a_socket_that_nobody_names_stays_closed_and_is_told_of() {
    let unused = "[sockets.spare]\ntype = \"push\"\nbind = [\"tcp://127.0.0.1:*\"]\n";
    let host = Setup::new().committed("downcase").config(unused).start();
    host.process.wait_for_line(&["WARN", "sockets.spare: no flow and no route names it, so it stays closed"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_printed_shows_what_is_written_short_and_means_the_same() {
    let config = "[messaging]\npolicy = \"echo\"\n[sockets.spare]\ntype = \"pull\"\nbind = [\"tcp://127.0.0.1:*\"]\n\
                  [flows.spare]\nfrom = [\"spare\"]\nto = [\"publish\"]\n[routes.downcase]\nto = []\n";
    let print = |config: &str| {
        let setup = Setup::new().committed("echo").committed("upcase").config(config).with(&["--print-config"]);
        let mut process = Process::start(&mut setup.command());
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
        // The folder differs from setup to setup.
        process.stdout().replace(&setup.path().display().to_string(), "")
    };
    let printed = print(config);
    for section in [
        "# [sockets.publish]\n# type = \"pub\"\n# bind = [\"tcp://127.0.0.1:*\"]\n# on_full = \"cut-off\"\n",
        "# [flows.frontend]\n# from = [\"frontend\"]\n# through = [\"echo\"]\n# to = [\"frontend\"]\n",
        "# [routes.upcase] # if the plugin answers HTTP\n# through = [\"upcase\"]\n# to = [\"publish\"]\n",
        "# [routes.downcase]\n# through = [\"downcase\"]\n# to = []\n",
        "\n[sockets.spare]\ntype = \"pull\"\n",
    ] {
        assert!(printed.contains(section), "{section} is not in\n{printed}");
    }
    assert_eq!(print(&printed), printed);
}

/// What a plugin can do is known once it is loaded, and before anybody is served.
#[test]
fn a_plugin_that_processes_no_messages_is_refused_by_name() {
    const SOCKETS: &str = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[sockets.out]\ntype = 'push'\n\
                           bind = ['tcp://127.0.0.1:*']\n";
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let flow = |through: &str| format!("{SOCKETS}[flows.x]\nfrom = ['in']\nthrough = {through}\nto = ['out']\n");
    let route = |through: &str| format!("[routes.x]\nthrough = {through}\n");
    let setup_for = |config: &str| {
        Setup::new().committed("downcase").committed("random-replies").plugin("h", &handler).config(config)
    };
    for (config, key, words) in [
        (flow("['downcase', 'random-replies']"), "flows.x.through", "`random-replies` has the role reply-policy"),
        (flow("['h']"), "flows.x.through", "`h` has the role http-handler"),
        (flow("['nobody']"), "flows.x.through", "no plugin `nobody` is loaded"),
        (route("['random-replies']"), "routes.x.through", "`random-replies` has the role reply-policy"),
        (route("['downcase', 'h']"), "routes.x.through", "`h` has the role http-handler"),
        (route("['nobody']"), "routes.x.through", "no plugin `nobody` is loaded"),
        ("[routes.nobody]\ncompress = true".to_owned(), "routes.nobody", "no plugin `nobody` is loaded"),
    ] {
        let setup = setup_for(&config);
        let mut process = Process::start(&mut setup.command());
        assert_eq!(process.wait().code(), Some(2), "{}", process.stderr());
        let stderr = process.stderr();
        assert!(stderr.contains(&format!("{key}: ")) && stderr.contains(words), "{config}: {stderr}");
    }
    let host = setup_for(&route("['h']")).start();
    let answer = host.admin_request("PUT", "/flows", Some(flow("['h']").as_bytes()));
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("flows.x.through: plugin `h` has the role http-handler"), "{}", answer.text());
    assert_eq!(host.stop(), 0);
}
