//! Layers with everything that a layer can hold, and trees compared.

use kiln_engine::Digest;
use kiln_sandbox::oci::{ExportImage, ExportLayer, Exported, Imported, export, import, resolve};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program that must be there and must succeed.
#[track_caller]
pub(crate) fn run(package: &str, argv: &[&str]) -> String {
    let output = Command::new(argv[0])
        .args(&argv[1..])
        .output()
        .unwrap_or_else(|error| panic!("cannot run `{}` ({error}): install `{package}`", argv[0]));
    assert!(
        output.status.success(),
        "{argv:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every entry below a directory with all that an image keeps of it. Files with several names have the
/// first of them as their content.
pub(crate) fn tree(root: &Path, with_times: bool) -> BTreeMap<Vec<u8>, String> {
    pub(crate) fn walk(
        root: &Path,
        path: &Path,
        inodes: &mut BTreeMap<u64, PathBuf>,
        with_times: bool,
        into: &mut BTreeMap<Vec<u8>, String>,
    ) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let relative = path.strip_prefix(root).unwrap();
        let kind = metadata.file_type();
        let mut line = format!("{:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
        if with_times {
            line += &format!(" {}", metadata.mtime());
        }
        if kind.is_symlink() {
            line += &format!(" -> {:?}", fs::read_link(path).unwrap());
        } else if !kind.is_dir() {
            line += &format!(" device {}", metadata.rdev());
        }
        let is_whiteout = metadata.mode() & 0o170_000 == 0o020_000 && metadata.rdev() == 0;
        let first = inodes.entry(metadata.ino()).or_insert_with(|| relative.to_owned()).clone();
        if !kind.is_dir() && first != relative && !is_whiteout {
            line += &format!(" = {first:?}");
        } else if kind.is_file() {
            line += &format!(" {}", Digest::of(&fs::read(path).unwrap()));
        }
        let mut names = vec![0; 4096];
        let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
        let mut xattrs: Vec<&[u8]> =
            names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        xattrs.sort_unstable();
        for name in xattrs {
            let mut value = vec![0; 4096];
            let length =
                rustix::fs::lgetxattr(path, std::ffi::OsStr::from_bytes(name), &mut value[..])
                    .unwrap();
            line += &format!(" {}={:?}", String::from_utf8_lossy(name), &value[..length]);
        }
        into.insert(relative.as_os_str().as_bytes().to_vec(), line);
        if kind.is_dir() {
            let mut children: Vec<PathBuf> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            children.sort();
            for child in children {
                walk(root, &child, inodes, with_times, into);
            }
        }
    }
    let mut into = BTreeMap::new();
    walk(root, root, &mut BTreeMap::new(), with_times, &mut into);
    into
}

#[track_caller]
pub(crate) fn assert_same_tree(found: &Path, expected: &Path) {
    let (found, expected) = (tree(found, false), tree(expected, false));
    for (path, line) in &expected {
        let path_shown = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), Some(line), "`{path_shown}`");
    }
    let more: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(
        more.is_empty(),
        "{:?}",
        more.iter().map(|path| String::from_utf8_lossy(path)).collect::<Vec<_>>()
    );
}

/// Three layers with everything that a layer can hold; the middle one is empty.
pub(crate) struct Layers {
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) const LONG: &str = "usr/share/a-name-that-goes-on/and-on/and-on";

impl Layers {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layers = Self { dir };
        for name in ["base", "empty", "site"] {
            let layer = layers.layer(name);
            fs::create_dir(&layer).unwrap();
            fs::set_permissions(&layer, fs::Permissions::from_mode(0o755)).unwrap();
        }
        layers.fill_base();
        layers.fill_site();
        layers
    }

    pub(crate) fn layer(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn fill_base(&self) {
        let base = self.layer("base");
        let write = |path: &str, content: &str, mode: u32| {
            let path = base.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
        write("etc/gone", "is removed by the layer above", 0o600);
        write("etc/replaced", "old", 0o644);
        write("opt/app/old", "is hidden by the layer above", 0o644);
        write("usr/bin/sudo", "#!/bin/sh\n", 0o4755);
        write("usr/bin/ping", "ping", 0o755);
        write("usr/lib/systemd/systemd", "systemd", 0o755);
        write("usr/lib/empty", "", 0o644);
        write("usr/lib/déjà vu\n", "strange name", 0o644);
        write(&format!("{LONG}/{}", "d".repeat(90)), "fits into a prefix", 0o644);
        write(&format!("{LONG}/{}", "e".repeat(200)), "does not", 0o644);
        write("usr/lib/large", &"0123456789abcdef".repeat(200_000), 0o644);
        for (link, target) in [("sbin", "usr/sbin"), ("bin", "usr/bin")] {
            symlink(target, base.join(link)).unwrap();
        }
        fs::create_dir_all(base.join("usr/sbin")).unwrap();
        symlink("/lib/systemd/systemd", base.join("usr/sbin/init")).unwrap();
        symlink("usr/lib", base.join("lib")).unwrap();
        symlink("x".repeat(180), base.join("usr/lib/long-link")).unwrap();
        fs::hard_link(base.join("usr/bin/ping"), base.join("usr/bin/ping4")).unwrap();
        fs::hard_link(base.join("usr/bin/ping"), base.join("etc/a-ping")).unwrap();
        for (path, mode) in
            [("tmp", 0o1777), ("root", 0o700), ("dev", 0o755), ("var/spool/mail", 0o2775)]
        {
            fs::create_dir_all(base.join(path)).unwrap();
            fs::set_permissions(base.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        chown(base.join("var/spool/mail"), Some(0), Some(8)).unwrap();
        chown(base.join("etc/replaced"), Some(1000), Some(1000)).unwrap();
        chown(base.join("usr/lib/empty"), Some(3_000_000_000), Some(65534)).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, base.join("dev/null"), FileType::CharacterDevice, mode, null)
            .unwrap();
        rustix::fs::mknodat(CWD, base.join("dev/pipe"), FileType::Fifo, mode, 0).unwrap();
        // VFS_CAP_REVISION_2 with CAP_NET_RAW, effective (linux/capability.h).
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let set = |path: &str, name: &str, value: &[u8]| {
            rustix::fs::lsetxattr(base.join(path), name, value, XattrFlags::empty()).unwrap();
        };
        set("usr/bin/ping", "security.capability", &capability);
        set("etc/passwd", "user.note", b"a\nb=c\0d");
        set("var/spool/mail", "user.of-a-directory", b"x");
    }

    pub(crate) fn fill_site(&self) {
        let site = self.layer("site");
        fs::create_dir_all(site.join("etc")).unwrap();
        fs::create_dir_all(site.join("opt/app")).unwrap();
        fs::create_dir_all(site.join("tmp")).unwrap();
        fs::set_permissions(site.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        rustix::fs::mknodat(
            CWD,
            site.join("etc/gone"),
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )
        .unwrap();
        fs::write(site.join("etc/replaced"), "new").unwrap();
        fs::write(site.join("etc/greeting"), "hello\n").unwrap();
        fs::write(site.join("opt/app/new"), "x").unwrap();
        let opaque = "trusted.overlay.opaque";
        rustix::fs::lsetxattr(site.join("opt/app"), opaque, b"y", XattrFlags::empty()).unwrap();
    }

    pub(crate) fn export_from(
        &self,
        names: &[&str],
        to: &Path,
        tag: &str,
        cache: &Path,
    ) -> Result<Exported, kiln_engine::Error> {
        let dirs: Vec<PathBuf> = names.iter().map(|name| self.layer(name)).collect();
        let layers = names.iter().zip(&dirs).map(|(name, dir)| ExportLayer {
            name,
            dir,
            digest: Digest::of(name.as_bytes()),
            expected: None,
        });
        let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        let image = ExportImage { layers: layers.collect(), env: &env, start: &[] };
        export(&image, to, tag, cache)
    }

    pub(crate) fn export(&self, to: &Path, tag: &str) -> Exported {
        let cache = self.dir.path().join("cache");
        self.export_from(&["base", "empty", "site"], to, tag, &cache).unwrap()
    }

    /// What the kernel shows of the layers on top of each other.
    pub(crate) fn merged(&self) -> PathBuf {
        let merged = self.dir.path().join("merged");
        let mount = self.dir.path().join("mount");
        for dir in [&merged, &mount] {
            fs::create_dir(dir).unwrap();
        }
        let lower = format!("{}:{}", text(&self.layer("site")), text(&self.layer("base")));
        let script =
            "mount -t overlay overlay -o ro,lowerdir=\"$1\" \"$2\" && cp -a \"$2/.\" \"$3\"";
        run(
            "util-linux",
            &["unshare", "--mount", "sh", "-c", script, "sh", &lower, text(&mount), text(&merged)],
        );
        merged
    }
}

pub(crate) fn imported(layout: &Path, tag: &str) -> (tempfile::TempDir, Imported) {
    let into = tempfile::tempdir().unwrap();
    let digest = resolve(layout, Some(tag)).unwrap();
    let image = import(layout, &digest, into.path()).unwrap();
    (into, image)
}

pub(crate) fn blob(layout: &Path, digest: &Value) -> PathBuf {
    layout.join("blobs/sha256").join(digest.as_str().unwrap().strip_prefix("sha256:").unwrap())
}

pub(crate) fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
