use super::enter::{WORK, quote};
use kiln_engine::lock::LockedFile;
use kiln_ssh::Exec;
use std::time::Duration;

/// How long the machine may try. What it cannot have is sent from here.
const LONGEST: Duration = Duration::from_secs(1800);

/// Locked files, fetched by the machine itself from where they were found, and compared with what was locked. It
/// is nearer to the archive than we are. Fails when it cannot have one of them.
pub(super) fn fetch(files: &[LockedFile]) -> Exec {
    let name = |file: &LockedFile| quote(&file.name());
    let sums: Vec<String> = files
        .iter()
        .map(|file| format!("printf '%s  %s\\n' {} {}\n", file.sha256, name(file)))
        .collect();
    // apt's own program takes what the machine's apt takes: proxies, authorities, mirrors.
    let apt: Vec<String> = files
        .iter()
        .map(|file| format!("{} {} SHA256:{}", quote(&file.url), name(file), file.sha256))
        .collect();
    let curl: Vec<String> =
        files.iter().map(|file| format!("-o {} {}", name(file), quote(&file.url))).collect();
    let each: Vec<String> = files
        .iter()
        .map(|file| format!("wget -q -T 60 -t 3 -O {} {}\n", name(file), quote(&file.url)))
        .collect();
    let mut exec = Exec::shell(format!(
        "{}cd {WORK}/files\n\
         if [ -x /usr/lib/apt/apt-helper ]; then\n\
         /usr/lib/apt/apt-helper -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download-file {} >/dev/null\n\
         elif command -v curl >/dev/null; then\n\
         curl -fsSL --retry 3 --max-time 1200 --parallel --parallel-max 8 {}\n\
         else\n{}fi\n\
         {{ {}}} | sha256sum --quiet -c\n\
         chmod 644 ./*\n",
        clear(),
        apt.join(" "),
        curl.join(" "),
        each.concat(),
        sums.concat(),
    ));
    exec.time_limit = Some(LONGEST);
    exec
}

/// Makes the directory of locked files anew, and empty.
pub(super) fn clear() -> String {
    format!("rm -rf {WORK}/files\nmkdir -p -m 711 {WORK}\nmkdir {WORK}/files\n")
}
