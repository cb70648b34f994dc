use super::export::ExportImage;
use crate::archive::{Seen, Stack};
use kiln_engine::Error;
use oci_spec::image::{Arch, Config, History, ImageConfiguration, Os, RootFs};

/// [`EPOCH`](crate::archive::EPOCH), as configurations have it.
const CREATED: &str = "2020-01-01T00:00:00Z";
/// What starts an image that does not say.
const INIT: &str = "/sbin/init";
/// The signal that makes systemd shut down in order (systemd(1), "SIGNALS").
const SHUTDOWN: &str = "SIGRTMIN+3";

/// The configuration of an image with these layers: for each its name and, unless it is empty, its
/// `sha256:…` before compression.
pub(super) fn configuration(
    image: &ExportImage<'_>,
    layers: &[(&str, Option<String>)],
) -> Result<ImageConfiguration, Error> {
    let unreadable = |error| {
        Error::environment("cannot look into the layers of the image".to_owned()).caused_by(error)
    };
    let stack =
        Stack::open(image.layers.iter().rev().map(|layer| layer.dir)).map_err(unreadable)?;
    let starts = |program: &str| -> rustix::io::Result<Option<Vec<u8>>> {
        let Ok(path) = stack.resolve_in_root(program.as_bytes()) else { return Ok(None) };
        Ok(match stack.look(&path)? {
            Seen::Missing => None,
            Seen::File { .. } => Some(path),
        })
    };
    let mut cmd = image.start.to_vec();
    if cmd.is_empty() && starts(INIT).map_err(unreadable)?.is_some() {
        cmd.push(INIT.to_owned());
    }
    let is_systemd = match cmd.first() {
        Some(program) if program.starts_with('/') => {
            let path = starts(program).map_err(unreadable)?;
            path.is_some_and(|path| path.rsplit(|byte| *byte == b'/').next() == Some(b"systemd"))
        }
        _ => false,
    };
    let mut config = Config::default();
    let env: Vec<String> =
        image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    config.set_env((!env.is_empty()).then_some(env));
    config.set_cmd((!cmd.is_empty()).then_some(cmd));
    config.set_stop_signal(is_systemd.then(|| SHUTDOWN.to_owned()));

    let mut rootfs = RootFs::default();
    rootfs.set_diff_ids(layers.iter().filter_map(|(_, diff_id)| diff_id.clone()).collect());
    let history = layers.iter().map(|(name, diff_id)| {
        let mut made = History::default();
        made.set_created(Some(CREATED.to_owned()));
        made.set_created_by(Some(format!("kiln layer {name}")));
        made.set_empty_layer(diff_id.is_none().then_some(true));
        made
    });
    let mut configuration = ImageConfiguration::default();
    configuration.set_created(Some(CREATED.to_owned()));
    configuration.set_architecture(Arch::default());
    configuration.set_os(Os::Linux);
    configuration.set_history(Some(history.collect()));
    configuration.set_config(Some(config));
    configuration.set_rootfs(rootfs);
    Ok(configuration)
}
