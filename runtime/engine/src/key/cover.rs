//! What of each kind of node and op a key covers.

use super::Fields;
use crate::driver::{Content, ExecAction, Program, PutAction, TestPlan};
use crate::graph::ImageTests;
use crate::lock::{Locked, LockedFile, LockedImage};
use crate::{Digest, Error};
use kiln::{BuilderNode, Ec2, Limits, Mode, Owner, Volume};

pub(super) fn put(
    fields: &mut Fields,
    action: &PutAction,
    trees: &mut impl Iterator<Item = Digest>,
) {
    let PutAction { dest, content, mode, directory_mode, owner: Owner { user, group } } = action;
    fields.next_op("put");
    fields.put("dest", dest);
    let mut default_mode = 0o644;
    match content {
        Content::File { path, digest, executable } => {
            fields.put_digest("file", *digest, &path.to_string_lossy());
            default_mode = if *executable { 0o755 } else { 0o644 };
        }
        Content::Tree { root, manifest: _ } => {
            // Each tree was noted once, in the order of the ops.
            if let Some(digest) = trees.next() {
                fields.put_digest("tree", digest, &root.to_string_lossy());
            }
        }
        Content::Bytes(bytes) => fields.put_digest("text", Digest::of(bytes), dest),
        Content::Directory => fields.put("directory", ""),
        Content::Link(target) => fields.put("link", target),
    }
    match (content, mode) {
        (Content::Directory | Content::Link(_), None) => {}
        // In a tree every file has its own default, which the tree's digest covers.
        (Content::Tree { .. }, None) => fields.put("mode", "git"),
        (_, mode) => fields.put("mode", octal(mode.unwrap_or(Mode(default_mode)))),
    }
    fields.put("directory mode", octal(directory_mode.unwrap_or(Mode(0o755))));
    fields.put("owner", user);
    fields.put("group", group.as_deref().unwrap_or("(primary)"));
}

pub(super) fn exec(fields: &mut Fields, action: &ExecAction) {
    // Bounds decide whether a command succeeds, not what it makes. Locked files follow as their own fields.
    let ExecAction {
        program,
        env,
        cwd,
        user,
        network,
        limits: Limits { time_ms: _, memory: _ },
        files: _,
    } = action;
    fields.next_op("exec");
    match program {
        Program::Argv(argv) => {
            for word in argv {
                fields.put("argv", word);
            }
        }
        Program::Shell(text) => fields.put("shell", text),
        Program::Script { path, digest, args } => {
            fields.put_digest("script", *digest, &path.to_string_lossy());
            for word in args {
                fields.put("argument", word);
            }
        }
    }
    for (name, value) in env {
        fields.put("env", format!("{name}={value}"));
    }
    fields.put("cwd", cwd.as_deref().unwrap_or("/"));
    fields.put("user", user.as_deref().unwrap_or("root"));
    fields.put("network", network);
}

/// Locked files count by content and name; where they were found does not.
pub(super) fn locked(fields: &mut Fields, entry: &Locked) {
    match entry {
        Locked::Files(files) => {
            for file in files {
                let LockedFile { sha256, size: _, version: _, url: _ } = file;
                fields.put("locked", format!("{} {sha256}", file.name()));
            }
        }
        Locked::Image(LockedImage { id, name: _ }) => fields.put("image", id),
    }
}

/// Of how an image is built only what reaches its content counts: a machine of another type, in another
/// subnet, makes the same. Its architecture has a place of its own in the key.
pub(super) fn builder(fields: &mut Fields, builder: Option<&BuilderNode>) {
    let Some(BuilderNode::Ec2(ec2)) = builder else { return };
    let Ec2 {
        origin: _,
        region: _,
        instance_type: _,
        subnet: _,
        security_groups: _,
        instance_profile: _,
        volume: _,
        tags: _,
        user_data,
        address: _,
    } = ec2;
    if let Some(text) = user_data {
        fields.put_digest("user data", Digest::of(text.as_bytes()), "user_data");
    }
}

/// The volume that an image boots from is part of the image.
pub(super) fn volume(fields: &mut Fields, builder: Option<&BuilderNode>) {
    let Some(BuilderNode::Ec2(Ec2 { volume: Some(volume), .. })) = builder else { return };
    let Volume { size, kind, iops, throughput } = volume;
    fields.put("volume", kind);
    for (name, value) in [("size", size), ("iops", iops), ("throughput", throughput)] {
        if let Some(value) = value {
            fields.put(name, value);
        }
    }
}

/// An image that did not pass today's tests does not count. How long a test may take does not matter.
pub(super) fn image(fields: &mut Fields, image: &ImageTests) -> Result<(), Error> {
    let ImageTests { name: _, doc: _, tests: TestPlan { start, env: _, tests } } = image;
    for word in start {
        fields.put("start", word);
    }
    for test in tests {
        let text = serde_json::to_string(&test.probe)
            .map_err(|error| Error::environment("cannot write a test").caused_by(error))?;
        fields.put("test", text);
    }
    Ok(())
}

fn octal(mode: Mode) -> String {
    format!("{:04o}", mode.0)
}
