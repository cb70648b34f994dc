use kiln::Debian;

/// The keys that Debian's archives are signed with, by the package `debian-archive-keyring`, which apt
/// depends on: at the same path on this machine and in the image.
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What an image of this base has in `/etc/apt/sources.list`, and where its packages are looked for.
///
/// Debian's own mirrors come with their updates and security suites, as an installed Debian has them. Any
/// other archive is taken as it is: nothing says that it has those.
pub(super) fn lines(debian: &Debian) -> Vec<String> {
    let Debian { suite, mirror, .. } = debian;
    let mirror = mirror.trim_end_matches('/');
    let host = mirror.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let mut options = format!("signed-by={KEYRING}");
    let security = match host {
        // It keeps what has expired: that is what it is for.
        "snapshot.debian.org" => {
            options.push_str(" check-valid-until=no");
            mirror
                .contains("/archive/debian/")
                .then(|| mirror.replace("/archive/debian/", "/archive/debian-security/"))
        }
        "deb.debian.org" => Some(mirror.replace("/debian", "/debian-security")),
        host if host.ends_with(".debian.org") && mirror.ends_with("/debian") => {
            Some("http://deb.debian.org/debian-security".to_owned())
        }
        _ => None,
    };
    let line = |archive: &str, suite: &str| format!("deb [{options}] {archive} {suite} main");
    let mut lines = vec![line(mirror, suite)];
    if let Some(security) = security {
        lines.push(line(mirror, &format!("{suite}-updates")));
        lines.push(line(&security, &format!("{suite}-security")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archives(mirror: &str) -> Vec<String> {
        let lines = lines(&kiln::debian("bookworm").mirror(mirror));
        lines.iter().map(|line| line.split("] ").nth(1).unwrap().to_owned()).collect()
    }

    #[test]
    fn debians_own_mirrors_bring_their_security_updates() {
        assert_eq!(
            archives("http://deb.debian.org/debian"),
            [
                "http://deb.debian.org/debian bookworm main",
                "http://deb.debian.org/debian bookworm-updates main",
                "http://deb.debian.org/debian-security bookworm-security main",
            ]
        );
        assert_eq!(
            archives("https://snapshot.debian.org/archive/debian/20250101T000000Z/")[2],
            "https://snapshot.debian.org/archive/debian-security/20250101T000000Z bookworm-security main"
        );
        assert_eq!(
            archives("http://ftp.de.debian.org/debian")[2],
            "http://deb.debian.org/debian-security bookworm-security main"
        );
    }

    #[test]
    fn another_archive_is_taken_as_it_is() {
        assert_eq!(
            archives("http://127.0.0.1:8000/debian"),
            ["http://127.0.0.1:8000/debian bookworm main"]
        );
    }
}
