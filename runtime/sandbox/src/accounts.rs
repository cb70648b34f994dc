use crate::put::Root;
use kiln::Owner;
use kiln_engine::Error;

/// More than this is no file of accounts.
const LARGEST_FILE: u64 = 4 << 20;

/// Who a command runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups, sorted.
    pub(crate) groups: Vec<u32>,
    /// The home directory; `/` where the image names none.
    pub(crate) home: String,
}

/// The users and groups of an image, by its own `/etc/passwd` and `/etc/group`.
///
/// Both are foreign bytes: a line that is not one of theirs is passed over.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

#[derive(Debug)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

impl Accounts {
    /// Reads them from the root of an image. A file that is not there holds nobody.
    pub(crate) fn of(root: &Root) -> Result<Self, Error> {
        let passwd = root.read("/etc/passwd", LARGEST_FILE)?.unwrap_or_default();
        let group = root.read("/etc/group", LARGEST_FILE)?.unwrap_or_default();
        Ok(Self::parse(&String::from_utf8_lossy(&passwd), &String::from_utf8_lossy(&group)))
    }

    fn parse(passwd: &str, group: &str) -> Self {
        let users = passwd.lines().filter_map(|line| {
            // passwd(5)
            let [name, _, uid, gid, _, home, ..] = line.split(':').collect::<Vec<_>>()[..] else {
                return None;
            };
            let home = if home.starts_with('/') { home } else { "/" };
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            Some(User { name: name.into(), uid, gid, home: home.into() })
        });
        let groups = group.lines().filter_map(|line| {
            // group(5)
            let [name, _, gid, members] = line.split(':').collect::<Vec<_>>()[..] else {
                return None;
            };
            let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
            Some(Group { name: name.into(), gid: gid.parse().ok()?, members: members.collect() })
        });
        Self { users: users.collect(), groups: groups.collect() }
    }

    /// The numbers of an owner.
    ///
    /// # Errors
    /// When the image has no such user or group.
    pub(crate) fn owner(&self, owner: &Owner) -> Result<(u32, u32), Error> {
        let Identity { uid, gid, .. } = self.user(&owner.user)?;
        let gid = match &owner.group {
            Some(group) => self.group(group)?,
            None => gid,
        };
        Ok((uid, gid))
    }

    /// A user by name or number, or `user:group`.
    ///
    /// # Errors
    /// When the image has no such user or group.
    pub(crate) fn identity(&self, text: &str) -> Result<Identity, Error> {
        let owner = Owner::parse(text);
        let mut identity = self.user(&owner.user)?;
        if let Some(group) = &owner.group {
            identity.gid = self.group(group)?;
        }
        Ok(identity)
    }

    fn user(&self, name: &str) -> Result<Identity, Error> {
        let number: Option<u32> = name.parse().ok();
        let found = self.users.iter().find(|user| match number {
            Some(uid) => user.uid == uid,
            None => user.name == name,
        });
        match (found, number) {
            (Some(user), _) => Ok(Identity {
                uid: user.uid,
                gid: user.gid,
                groups: self.supplementary(user),
                home: user.home.clone(),
            }),
            (None, Some(uid)) => Ok(Identity { uid, gid: uid, groups: vec![], home: "/".into() }),
            // An image without accounts still has its superuser.
            (None, None) if name == "root" => {
                Ok(Identity { uid: 0, gid: 0, groups: vec![], home: "/root".into() })
            }
            (None, None) => Err(Error::input(format!("the image has no user `{name}`"))
                .help("make the user in an earlier step, or give a number")),
        }
    }

    fn group(&self, name: &str) -> Result<u32, Error> {
        if let Ok(gid) = name.parse() {
            return Ok(gid);
        }
        match self.groups.iter().find(|group| group.name == name) {
            Some(group) => Ok(group.gid),
            None if name == "root" => Ok(0),
            None => Err(Error::input(format!("the image has no group `{name}`"))
                .help("make the group in an earlier step, or give a number")),
        }
    }

    fn supplementary(&self, user: &User) -> Vec<u32> {
        let mut groups: Vec<u32> = self
            .groups
            .iter()
            .filter(|group| group.gid != user.gid && group.members.contains(&user.name))
            .map(|group| group.gid)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::parse(
            "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\nbad\n:::::\nx:y:-1:0::/:\nr:x:7:7::relative:",
            "root:x:0:\nweb:x:33:\nadm:x:4:web,other\nlog:x:3:web\nbad:x\nbig:x:99999999999:web",
        )
    }

    #[test]
    fn names_and_numbers_are_resolved_in_the_image() {
        let web = Identity { uid: 33, gid: 33, groups: vec![3, 4], home: "/srv".into() };
        assert_eq!(accounts().identity("web").unwrap(), web);
        assert_eq!(accounts().identity("33").unwrap(), web);
        assert_eq!(accounts().owner(&Owner::parse("web:adm")).unwrap(), (33, 4));
        assert_eq!(accounts().owner(&Owner::parse("1000")).unwrap(), (1000, 1000));
        assert_eq!(accounts().owner(&Owner::parse("1000:5")).unwrap(), (1000, 5));
        assert_eq!(accounts().identity("r").unwrap().home, "/");
    }

    #[test]
    fn what_the_image_does_not_have_is_an_error() {
        assert!(accounts().identity("nobody").is_err());
        assert!(accounts().owner(&Owner::parse("web:nogroup")).is_err());
        assert!(accounts().identity("x").is_err(), "a number out of range is no user");
        assert_eq!(Accounts::default().identity("root").unwrap().uid, 0);
    }
}
