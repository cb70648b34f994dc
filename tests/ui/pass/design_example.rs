use kiln::prelude::*;

const WORKERS: u32 = 4;

image! {
    /// Debian 12 with nginx and our site.
    pub web {
        base: debian("bookworm"),

        layer packages {
            apt: ["nginx", "ca-certificates"],
        }

        layer site {
            copy: "site/" => "/srv/www" { owner: "www-data", mode: 0o644 },
            template: "nginx.conf.j2" => "/etc/nginx/nginx.conf" { vars: { workers: WORKERS } },
            service: "nginx" { enable: true },
            run: "nginx -t",
        }

        test serves { http: "http://localhost/healthz", status: 200 }
    }
}

fn main() {
    let document = Document::new("shop").image(web());
    assert_eq!(document.problems(), []);
    let image = &document.images()[0];
    assert_eq!((image.name.as_str(), image.doc.as_str()), ("web", "Debian 12 with nginx and our site."));
    assert_eq!(image.root, env!("CARGO_MANIFEST_DIR"));
}
