/// What a lab's `env` says: of lines like `export NAME=value`, the variables.
pub(crate) fn variables(exports: &str) -> Vec<(String, String)> {
    let assignments = exports.lines().filter_map(|line| line.strip_prefix("export "));
    let pairs = assignments.filter_map(|assignment| assignment.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_variables_and_other_lines_are_not() {
        let text =
            "export AWS_REGION=eu-west-1\n# x=y\nexport AWS_ENDPOINT_URL=http://[::1]:1/?a=b\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected =
            [pair("AWS_REGION", "eu-west-1"), pair("AWS_ENDPOINT_URL", "http://[::1]:1/?a=b")];
        assert_eq!(variables(text), expected);
    }
}
