use kiln::prelude::*;

image! {
    pub web {
        base: debian("bookworm"),
        layer kernel {
            reboot: true,
            reboot { timeout: "5m" },
            reboot
            run: "true",
        }
        reboot,
    }
}

fn main() {}
