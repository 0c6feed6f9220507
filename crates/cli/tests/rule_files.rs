//! Rules in files and directories of files: what counts, what is refused, and what stays in force then.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use keyward_testkit::documents::{HANDLERS, denying_rule as rule};
use keyward_testkit::process::{Keyward, Running};

/// A server with the rules of a file or directory.
fn keyward(repository: &str) -> Keyward {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let path = keyward.write("config.yaml", &format!("{HANDLERS}access_rules: {{repositories: [{repository}]}}\n"));
    keyward.config(path)
}

fn status(running: &Running, path: &str) -> u16 {
    running.get(path, &[]).status()
}

fn refusals(running: &Running) -> f64 {
    running.metric("keyward_reload_failures_total").unwrap()
}

fn stale(running: &Running) -> Option<f64> {
    running.metric("keyward_repository_stale{repository=\"0\"")
}

/// Replaces a file the way editors and deployments do.
fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, path).unwrap();
}

#[test]
fn nothing_worse_takes_the_place_of_the_last_good_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yaml");
    fs::write(&path, rule("a")).unwrap();
    let running = keyward(&format!("\"file://{}\"", path.display())).start();
    assert_eq!(stale(&running), Some(0.0));
    let large = "#".repeat(16 * 1024 * 1024 + 1);
    let faults = [
        ("", "the document is empty"),
        ("# nothing yet\n---\n", "the document is empty"),
        ("null", "the document is empty"),
        ("<html><body>Sign in</body></html>", "expected a list"),
        ("- id: a\n  match: {url: \"http://", "not valid YAML or JSON"),
        ("- just a text\n", "rules.yaml:1:3"),
        (large.as_str(), "larger than 16 MiB"),
    ];
    for (text, said) in faults {
        let before = refusals(&running);
        replace(&path, text);
        running.until(said, |running| refusals(running) > before && running.log().contains(said));
        assert_eq!((status(&running, "/a"), stale(&running)), (403, Some(1.0)), "{said}");
    }
    fs::remove_file(&path).unwrap();
    running.until("its absence", |running| running.log().contains("No such file or directory"));
    assert_eq!((status(&running, "/a"), stale(&running)), (403, Some(1.0)));
    replace(&path, &rule("b"));
    running.until("recovery", |running| status(running, "/b") == 403);
    assert_eq!((status(&running, "/a"), stale(&running)), (404, Some(0.0)));
    // Who is not root would see the same of a file without permission.
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    running.until("the loop", |running| running.log().contains("Too many levels of symbolic links"));
    assert_eq!((status(&running, "/b"), stale(&running)), (403, Some(1.0)));
    fs::remove_file(&path).unwrap();
    // Who writes an empty list means it.
    replace(&path, "[]");
    running.until("no rules at all", |running| status(running, "/b") == 404);
}

#[test]
fn a_file_that_is_written_in_pieces_is_taken_when_it_is_whole() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yaml");
    fs::write(&path, rule("a")).unwrap();
    let running = keyward(&format!("\"file://{}\"", path.display())).start();
    let new = rule("b");
    let (half, rest) = new.split_at(new.find("<").unwrap());
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(half.as_bytes()).unwrap();
    running.until("refusing the half", |running| running.log().contains("not valid YAML or JSON"));
    assert_eq!(status(&running, "/a"), 403);
    file.write_all(rest.as_bytes()).unwrap();
    running.until("the whole", |running| status(running, "/b") == 403);
    assert_eq!(status(&running, "/a"), 404);
}

#[test]
fn the_files_of_a_directory_are_one_set_and_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, path) in [("b.yaml", "b"), ("a.yml", "a"), (".hidden.yaml", "hidden"), ("c.txt", "text")] {
        fs::write(at(name), rule(path)).unwrap();
    }
    fs::create_dir(at("nested")).unwrap();
    fs::write(at("nested/d.yaml"), rule("nested")).unwrap();
    let running = keyward(&format!("\"file://{}\"", directory.path().display())).start();
    let statuses = |running: &Running| ["/a", "/b", "/hidden", "/text", "/nested"].map(|path| status(running, path));
    assert_eq!(statuses(&running), [403, 403, 404, 404, 404]);
    let ids: serde_json::Value = serde_json::from_str(&running.api("/rules").unwrap().text()).unwrap();
    assert_eq!((ids[0]["id"].as_str(), ids[1]["id"].as_str()), (Some("a"), Some("b")));
    let json = "[{\"id\": \"e\", \"match\": {\"url\": \"http://<[^/]*>/e\", \"methods\": [\"GET\"]}, \"authenticators\": \
                [{\"handler\": \"anonymous\"}], \"authorizer\": {\"handler\": \"deny\"}, \"mutators\": [{\"handler\": \"noop\"}]}]";
    fs::write(at("e.json"), json).unwrap();
    running.until("the new file", |running| status(running, "/e") == 403);
    fs::remove_file(at("b.yaml")).unwrap();
    running.until("its removal", |running| status(running, "/b") == 404);
    assert_eq!((status(&running, "/a"), status(&running, "/e")), (403, 403));
    // One bad file is as good as all of them, and so is none at all.
    for (name, text, said) in [
        ("f.yaml", "- id: [\n", "f.yaml:2:1"),
        ("f.yaml", "", "the document is empty"),
        ("f.yaml", "- just a text\n", "f.yaml:1:3"),
    ] {
        fs::write(at("g"), rule("g")).unwrap();
        fs::rename(at("g"), at("g.yaml")).unwrap();
        replace(&at(name), text);
        running.until(said, |running| running.log().contains(said));
        assert_eq!((status(&running, "/a"), status(&running, "/g")), (403, 404), "{said}");
        fs::remove_file(at("g.yaml")).unwrap();
    }
    for name in ["a.yml", "e.json", "f.yaml"] {
        fs::remove_file(at(name)).unwrap();
    }
    running.until("refusing nothing", |running| running.log().contains("the directory holds no rule file"));
    assert_eq!((status(&running, "/a"), stale(&running)), (403, Some(1.0)));
    fs::write(at("h.yaml"), rule("h")).unwrap();
    running.until("recovery", |running| status(running, "/h") == 403);
    assert_eq!((status(&running, "/a"), stale(&running)), (404, Some(0.0)));
}

/// As Kubernetes mounts a config map: links to links, and all change when one is renamed.
#[test]
fn a_mounted_config_map_changes_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mounted = directory.path();
    let update = |version: usize| {
        let data = mounted.join(format!("..v{version}"));
        fs::create_dir(&data).unwrap();
        for name in ["a", "b"] {
            fs::write(data.join(format!("{name}.yaml")), rule(&format!("{name}{version}"))).unwrap();
        }
        symlink(format!("..v{version}"), mounted.join("..data_tmp")).unwrap();
        fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).unwrap();
        if version > 0 {
            fs::remove_dir_all(mounted.join(format!("..v{}", version - 1))).unwrap();
        }
    };
    update(0);
    for name in ["a.yaml", "b.yaml"] {
        symlink(format!("..data/{name}"), mounted.join(name)).unwrap();
    }
    let running = keyward(&format!("\"file://{}\"", mounted.display())).start();
    for version in 0..5 {
        if version > 0 {
            update(version);
        }
        running.until("the new rules", |running| status(running, &format!("/a{version}")) == 403);
        assert_eq!(status(&running, &format!("/b{version}")), 403);
        assert_eq!(status(&running, &format!("/b{}", version.wrapping_sub(1))), 404);
    }
}

macro_rules! signed {
    ($name:literal) => {
        include_str!(concat!("signed/", $name))
    };
}

#[test]
fn files_need_the_signature_beside_them_when_a_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (rules, signature) = (directory.path().join("rules.yaml"), directory.path().join("rules.yaml.minisig"));
    fs::write(&rules, signed!("rules.yaml")).unwrap();
    fs::write(&signature, signed!("rules.yaml.minisig")).unwrap();
    // The file alone and its directory behave alike.
    for place in [rules.clone(), directory.path().to_owned()] {
        let item = format!("{{url: \"file://{}\", public_key: {}}}", place.display(), signed!("public_key").trim());
        let running = keyward(&item).start();
        assert_eq!(status(&running, "/a"), 403);
        replace(&rules, signed!("changed.yaml"));
        running.until("the mismatch", |running| running.log().contains("the signature is not one of this document"));
        assert_eq!((status(&running, "/a"), status(&running, "/b")), (403, 404));
        replace(&signature, signed!("changed.yaml.minisig"));
        running.until("the signed change", |running| status(running, "/b") == 403);
        replace(&rules, signed!("rules.yaml"));
        replace(&signature, signed!("stranger.minisig"));
        running.until("the other key", |running| running.log().contains("the signature was made with another key"));
        fs::remove_file(&signature).unwrap();
        running
            .until("the lack of one", |running| running.log().contains("the signature cannot be read: No such file"));
        assert_eq!((status(&running, "/a"), status(&running, "/b")), (404, 403));
        replace(&signature, signed!("rules.yaml.minisig"));
        running.until("the first ones again", |running| status(running, "/a") == 403);
    }
}

#[test]
fn at_a_start_what_can_be_read_serves_and_a_file_may_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let (here, later) = (directory.path().join("here.yaml"), directory.path().join("later.yaml"));
    fs::write(&here, rule("a")).unwrap();
    let running = keyward(&format!("\"file://{}\", \"file://{}\"", here.display(), later.display())).start();
    let stale = |running: &Running| {
        ["0", "1"].map(|place| running.metric(&format!("keyward_repository_stale{{repository=\"{place}\"")))
    };
    assert_eq!((status(&running, "/a"), stale(&running)), (403, [Some(0.0), Some(1.0)]));
    let ready = |running: &Running| running.api("/health/ready").unwrap();
    assert_eq!(ready(&running).status(), 503);
    assert!(ready(&running).text().contains("later.yaml"), "{}", ready(&running).text());
    // A file that says nothing is as good as none.
    fs::write(&later, "").unwrap();
    running.until("refusing it", |running| running.log().contains("the document is empty"));
    replace(&later, &rule("b"));
    running.until("the file", |running| status(running, "/b") == 403);
    assert_eq!((status(&running, "/a"), stale(&running)), (403, [Some(0.0), Some(0.0)]));
    assert_eq!(ready(&running).status(), 200);
}

/// The page about sources of rules promises nothing that no test shows, and its example can be used.
#[test]
fn the_page_about_sources_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/rules-sources.md")).unwrap();
    let table = page.split("| source | fault | outcome | test |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let test = row.trim_end_matches(" |").rsplit(" | ").next().unwrap().trim_matches('`');
        let (file, name) = test.split_once(": ").unwrap();
        let places = ["crates/cli/tests", "crates/server/src/repository"];
        let text = places.map(|place| fs::read_to_string(root.join(place).join(file)).unwrap_or_default()).concat();
        assert!(text.contains(&format!("#[test]\nfn {name}()")), "no test `{name}` in {file}");
    }
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    // The files of the example are not here.
    let example = example.replace("/etc/keyward/", &format!("{}/", keyward.path("etc").display()));
    keyward.write("etc/rules.yaml", "[]");
    keyward.write("etc/rules.d/a.yaml", "[]");
    let path = keyward.write("config.yaml", &example);
    let (code, out, error) = keyward.config(path).run(&["config", "check"]);
    assert_eq!(code, 0, "{out}{error}");
}

#[test]
fn settings_of_repositories_that_cannot_work_are_refused_with_their_place() {
    let rows = [
        (
            "{url: \"https://a/b\", refresh_interval: 500ms}",
            "`refresh_interval`: write at least `1s`\n  --> DIR/config.yaml:4:70",
        ),
        ("{url: \"https://a/b\", public_key: nonsense}", "`public_key`: it is not a key of minisign"),
        ("{refresh_interval: 5s}", "the repository has no `url`"),
        ("{url: \"https://a/b\", refresh_intervall: 5s}", "unknown key `refresh_intervall`"),
        ("{url: 7}", "`access_rules.repositories[0].url` must be a text"),
        ("7", "`access_rules.repositories[0]` must be a text, found a number"),
        (
            "{url: \"inline://W10=\", public_key: RWTiFQnaZdAUfEXPL9R1XM2h780Z1xLY1z3l9YU66ZGNyrTHtvpY4+mC}",
            "inline rules are part of the configuration and carry no signature",
        ),
    ];
    for (item, problem) in rows {
        let keyward = keyward(item);
        let problem = &problem.replace("DIR", keyward.path("").to_str().unwrap().trim_end_matches('/'));
        let (code, _, error) = keyward.run(&["config", "check"]);
        assert!(code == 1 && error.contains(problem), "{item}: {code} {error}");
    }
    let rows = [
        ("fetch_timeout: 10ms", "`access_rules.fetch_timeout`: write at least `1s`"),
        ("max_document_bytes: 0", "`access_rules.max_document_bytes`: write a number from 1 to 16777216"),
        ("max_document_bytes: 16777217", "`access_rules.max_document_bytes`: write a number from 1 to 16777216"),
    ];
    for (setting, problem) in rows {
        let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let path = keyward.write("config.yaml", &format!("access_rules: {{{setting}}}\n"));
        let (code, _, error) = keyward.config(path).run(&["config", "check"]);
        assert!(code == 1 && error.contains(problem) && error.contains("config.yaml:1:"), "{setting}: {code} {error}");
    }
}
