#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::Terms;
use super::super::signature::PublicKey;
use super::*;

const URL: &str = "https://u:s3cr3t@rules.example.com/rules.yaml?token=s3cr3t";

fn repository(url: &str) -> Repository {
    Repository::parse(url, Terms::default()).unwrap()
}

fn document(text: &str) -> Document {
    let etag = Some(HeaderValue::from_static("\"one\""));
    Document { text: text.to_owned(), version: Version { etag, modified: None }, signature: None }
}

/// The only copy in a directory.
fn only_file(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let only = files.next().unwrap();
    assert_eq!(files.next(), None);
    only
}

#[test]
fn what_was_written_is_read_and_nobody_else_can_read_or_write_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/here");
    let cache = CacheDirectory::open(&path).unwrap();
    assert!(cache.read(&repository(URL)).is_none());
    for text in ["- id: a\n", "- id: b\n# \u{e9}\r\n", ""] {
        cache.write(URL, &document(text)).unwrap();
        let copy = cache.read(&repository(URL)).unwrap();
        assert_eq!(copy.document.text, text);
        assert_eq!(copy.document.version.etag, Some(HeaderValue::from_static("\"one\"")));
        assert!(copy.age < Duration::from_secs(60));
    }
    let file = only_file(&path);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&file)), (0o700, 0o600));
    let written = fs::read_to_string(&file).unwrap() + &file.display().to_string();
    assert!(!written.contains("s3cr3t") && !written.contains("example.com"), "{written}");
    assert!(cache.read(&repository("https://rules.example.com/other.yaml")).is_none());
}

#[test]
fn a_copy_that_is_not_whole_or_not_ours_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheDirectory::open(&directory.path().join("cache")).unwrap();
    cache.write(URL, &document("- id: a\n- id: b\n")).unwrap();
    let file = only_file(&cache.path);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let rows: [(&str, Vec<u8>); 7] = [
        ("truncated", whole[..whole.len() - 9].to_vec()),
        ("empty", Vec::new()),
        ("longer", [whole.as_slice(), b"- id: c\n"].concat()),
        ("flipped", flipped),
        ("another format", [b"keyward rules 2 ", &whole[16..]].concat()),
        ("foreign", b"- id: a\n".to_vec()),
        ("binary", vec![0xff; 100]),
    ];
    for (what, bytes) in rows {
        fs::write(&file, bytes).unwrap();
        assert!(cache.read(&repository(URL)).is_none(), "{what}");
    }
    // As it was, but under the name of another repository's.
    let other = repository("https://rules.example.com/other.yaml");
    fs::write(cache.place(other.text()), &whole).unwrap();
    assert!(cache.read(&other).is_none());
    fs::write(&file, &whole).unwrap();
    assert!(cache.read(&repository(URL)).is_some());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    assert!(cache.read(&repository(URL)).is_none());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&file, directory.path().join("elsewhere")).unwrap();
    symlink(directory.path().join("elsewhere"), &file).unwrap();
    assert!(cache.read(&repository(URL)).is_none());
}

#[test]
fn a_copy_needs_the_signature_that_the_settings_ask_for_now() {
    macro_rules! signed {
        ($name:literal) => {
            include_str!(concat!("../../../../cli/tests/signed/", $name))
        };
    }
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheDirectory::open(directory.path()).unwrap();
    let key = PublicKey::parse(signed!("public_key")).unwrap();
    let signed = Repository::parse(URL, Terms { key: Some(key), ..Terms::default() }).unwrap();
    let rows = [
        (signed!("rules.yaml"), Some(signed!("rules.yaml.minisig")), true),
        (signed!("rules.yaml"), Some(signed!("stranger.minisig")), false),
        (signed!("changed.yaml"), Some(signed!("rules.yaml.minisig")), false),
        (signed!("rules.yaml"), None, false),
    ];
    for (text, signature, is_believed) in rows {
        let signature = signature.map(str::to_owned);
        cache.write(URL, &Document { signature, ..document(text) }).unwrap();
        assert_eq!(cache.read(&signed).is_some(), is_believed);
        assert!(cache.read(&repository(URL)).is_some());
    }
}

#[test]
fn directories_that_others_can_write_to_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, problem) in [(0o700, ""), (0o755, ""), (0o770, "its mode is 0770"), (0o777, "others can write to it")] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let found = CacheDirectory::open(directory.path()).err().map(|problem| problem.to_string()).unwrap_or_default();
        assert!(found.contains(problem) && found.is_empty() == problem.is_empty(), "{mode:o}: {found}");
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(CacheDirectory::open(&file).unwrap_err().to_string().contains("it is not a directory"));
    // One that cannot be made stops nothing, and each attempt to write says so.
    let cache = CacheDirectory::open(&file.join("below")).unwrap();
    assert!(cache.write(URL, &document("")).is_err() && cache.confirm(URL).is_err());
}

#[test]
fn a_copy_is_as_old_as_the_last_confirmation_whatever_the_clock_does() {
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheDirectory::open(directory.path()).unwrap();
    cache.write(URL, &document("[]")).unwrap();
    let at = |time: SystemTime| {
        File::options().append(true).open(cache.place(URL)).unwrap().set_modified(time).unwrap();
    };
    let age = || cache.read(&repository(URL)).unwrap().age;
    at(SystemTime::now() - Duration::from_secs(5000));
    assert!(age() >= Duration::from_secs(5000));
    // The clock was set back since.
    at(SystemTime::now() + Duration::from_secs(5000));
    assert_eq!(age(), Duration::ZERO);
    at(SystemTime::now() - Duration::from_secs(5000));
    cache.confirm(URL).unwrap();
    assert!(age() < Duration::from_secs(60));
}

#[test]
fn leftovers_go_and_what_is_named_stays() {
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheDirectory::open(directory.path()).unwrap();
    let old = SystemTime::now() - UNNAMED_LIFE - Duration::from_secs(60);
    let other = "https://rules.example.com/other.yaml";
    cache.write(URL, &document("[]")).unwrap();
    cache.write(other, &document("[]")).unwrap();
    for name in [".unfinished-old", ".unfinished-new", "notes.txt"] {
        fs::write(directory.path().join(name), "half").unwrap();
    }
    let sweep = || {
        cache.sweep(&[repository(URL)]);
        let mut names: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_by_key(|name| name.len());
        names
    };
    assert_eq!(sweep().len(), 5);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with(".unfinished-new") {
            File::options().append(true).open(path).unwrap().set_modified(old).unwrap();
        }
    }
    let expected = ["notes.txt".to_owned(), ".unfinished-new".to_owned(), format!("{}.rules", name_of(URL))];
    assert_eq!(sweep(), expected);
}
