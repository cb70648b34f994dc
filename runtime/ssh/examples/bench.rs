//! What the benchmarks measure: from the first connection to the end, as the EC2 builder does it.
//!
//!     bench ADDRESS HOST_KEY [USER_KEY] tasks SOURCES DEST    each file of a directory, and a line of shell after each
//!     bench ADDRESS HOST_KEY [USER_KEY] copy SOURCE DEST      a file or a directory into a directory
//!
//! `HOST_KEY` is the file of the host's public key, `USER_KEY` that of the private key of root, by default `user`
//! beside the other.

use kiln_ssh::{
    Archive, Directories, Exec, HostKey, Ids, KeyPair, Machine, Op, Owner, Patience, Target, Unpack,
};
use std::error::Error;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// The mode of the files of tasks.
const MODE: u32 = 0o640;

/// Read at once.
const BUFFER: usize = 256 << 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: bench ADDRESS HOST_KEY [USER_KEY] tasks|copy SOURCE DEST";
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.len() == 5 {
        let beside = Path::new(&args[1]).with_file_name("user");
        args.insert(2, beside.to_string_lossy().into_owned());
    }
    let [address, host_key, user_key, what, source, dest] = &args[..] else {
        return Err(usage.into());
    };
    let ops = match what.as_str() {
        "tasks" => tasks(Path::new(source), dest)?,
        "copy" => vec![unpack(dest, copy(source.into()))],
        _ => return Err(usage.into()),
    };
    let target = Target {
        address: address.parse()?,
        user: "root".into(),
        key: KeyPair::parse(&fs::read_to_string(user_key)?)?,
        host_key: HostKey::parse(&fs::read_to_string(host_key)?)?,
    };
    let mut machine = Machine::connect(target, Patience::seconds(10), &|_| ()).await?;
    machine.run(&ops, &()).await?;
    machine.close().await?;
    Ok(())
}

fn unpack(into: &str, archive: Archive) -> Op {
    Op::Unpack(Unpack {
        into: into.into(),
        owner: Owner::root(),
        directories: Directories::Keep,
        archive,
    })
}

fn tasks(sources: &Path, dest: &str) -> io::Result<Vec<Op>> {
    let mut ops = Vec::new();
    for number in 0..fs::read_dir(sources)?.count() {
        let content = fs::read(sources.join(number.to_string()))?;
        let archive = Archive::new(move |to, ids| {
            let mut header = header(EntryType::Regular, MODE, content.len() as u64, ids);
            tar::Builder::new(to).append_data(&mut header, number.to_string(), &content[..])
        });
        ops.push(unpack(dest, archive));
        let line = format!("cat {dest}/{number} > {dest}/line-{number}");
        ops.push(Op::Exec(Exec::shell(line)));
    }
    Ok(ops)
}

fn copy(source: PathBuf) -> Archive {
    Archive::new(move |to, ids| {
        let name = source.file_name().map(PathBuf::from).unwrap_or_default();
        let mut buffer = vec![0; BUFFER];
        add(to, &source, &name, ids, &mut buffer)?;
        to.write_all(&[0; 1024])
    })
}

fn add(
    to: &mut dyn Write,
    source: &Path,
    name: &Path,
    ids: Ids,
    buffer: &mut [u8],
) -> io::Result<()> {
    let found = fs::symlink_metadata(source)?;
    if found.is_dir() {
        begin(to, EntryType::Directory, name, 0, &found, ids)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            add(to, &entry.path(), &name.join(entry.file_name()), ids, buffer)?;
        }
        return Ok(());
    }
    let mut file = File::open(source)?;
    begin(to, EntryType::Regular, name, found.len(), &found, ids)?;
    let mut left = found.len();
    while left > 0 {
        let count = file.read(buffer)?;
        if count == 0 || count as u64 > left {
            return Err(io::Error::other(format!("`{}` changed", source.display())));
        }
        to.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    // To a whole number of blocks.
    to.write_all(&[0; 512][..(512 - (found.len() % 512) as usize) % 512])
}

fn begin(
    to: &mut dyn Write,
    kind: EntryType,
    name: &Path,
    size: u64,
    found: &Metadata,
    ids: Ids,
) -> io::Result<()> {
    let mut header = header(kind, found.permissions().mode() & 0o7777, size, ids);
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
    header.set_path(name)?;
    header.set_cksum();
    to.write_all(header.as_bytes())
}

fn header(kind: EntryType, mode: u32, size: u64, ids: Ids) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(ids.uid.into());
    header.set_gid(ids.gid.into());
    header
}
