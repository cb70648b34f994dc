use super::{Step, options, quote};
use crate::{Lowering, Origin, Resolve};
use kiln_rules as rules;

/// Installs Debian packages. See [`apt`].
#[derive(Debug, Clone, PartialEq)]
pub struct Apt {
    origin: Origin,
    packages: Vec<String>,
    recommends: bool,
}

/// Installs Debian packages, in the versions that `kiln.lock` holds.
///
/// The first bake resolves the packages and everything they need that is not installed yet; from then on
/// exactly those files are installed, verified by their SHA-256, without network. Logs, caches and
/// package lists are not left in the image, and no service starts while a package is configured.
#[track_caller]
pub fn apt<S: Into<String>>(packages: impl IntoIterator<Item = S>) -> Apt {
    let mut packages: Vec<String> = packages.into_iter().map(Into::into).collect();
    // apt installs a set: the order in which a recipe names it must not move a key.
    packages.sort();
    packages.dedup();
    Apt { origin: Origin::caller(), packages, recommends: false }
}

impl Apt {
    /// Whether recommended packages are installed too. Not unless told.
    #[must_use]
    pub fn recommends(mut self, wanted: bool) -> Self {
        self.recommends = wanted;
        self
    }
}

impl Step for Apt {
    fn kind(&self) -> &'static str {
        "apt"
    }

    fn title(&self) -> String {
        format!("apt {}", self.packages.join(" "))
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        if self.packages.is_empty() {
            into.problem("`apt` names no package", Some("name at least one package".into()));
        }
        for package in &self.packages {
            into.check(rules::package(package));
        }
        let recommends =
            if self.recommends { "--install-recommends" } else { "--no-install-recommends" };
        let suffix = if self.recommends { " with recommends" } else { "" };
        let words: Vec<String> = self.packages.iter().map(|name| quote(name)).collect();
        let words = words.join(" ");
        let fill =
            |text: &str| text.replace("@RECOMMENDS@", recommends).replace("@PACKAGES@", &words);
        let mut exec = options::shell(fill(INSTALL));
        exec.resolve = Some(Resolve {
            request: format!("apt {}{suffix}", self.packages.join(" ")),
            script: fill(RESOLVE),
        });
        into.exec(exec);
    }
}

/// Prints `sha256:HEX SIZE VERSION URL` for each archive that is not installed yet.
///
/// apt prints MD5 unless told which hash to use, and the version is the second field of the name that it
/// gives a file, with `%3a` for the colon of an epoch (apt-get(8), `--print-uris`).
const RESOLVE: &str = r#"export DEBIAN_FRONTEND=noninteractive
apt-get -q -o APT::Update::Error-Mode=any -o Acquire::Languages=none update >&2
apt-get -qq -y -o Acquire::ForceHash=SHA256 --print-uris @RECOMMENDS@ install @PACKAGES@ >/tmp/kiln-uris
while read -r uri name size hash; do
  case $hash in SHA256:*) ;; *) echo "no SHA-256 for $name" >&2; exit 1 ;; esac
  uri=${uri#\'}; uri=${uri%\'}
  version=${name#*_}; version=${version%_*}
  printf 'sha256:%s %s %s %s\n' "${hash#SHA256:}" "$size" "$version" "$uri"
done </tmp/kiln-uris
"#;

/// Installs the files in `KILN_FILES` and leaves nothing behind that the clock or the run decides.
///
/// Every file is named, so recommendations were settled when the list was resolved. Naming a file marks
/// its package as wanted by hand: that is taken back for all but those that the recipe asks for.
const INSTALL: &str = r#"export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
[ -d "$KILN_FILES" ]
set -- "$KILN_FILES"/*.deb
if [ -e "$1" ]; then
  apt-mark showmanual >/tmp/kiln-manual
  apt-get install -q -y --no-install-recommends --allow-downgrades -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    -o Dpkg::Options::=--force-unsafe-io "$@"
  for deb in "$@"; do dpkg-deb --field "$deb" Package; done | grep -vxF -f /tmp/kiln-manual | xargs -r apt-mark auto >/dev/null
fi
apt-mark manual @PACKAGES@ >/dev/null
rm -rf /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
rm -rf /var/cache/apt/*.bin /var/cache/apt/archives/lock /var/cache/debconf/*-old
rm -rf /var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/lib/apt/lists/lock
"#;
