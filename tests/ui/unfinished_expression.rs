use kiln::prelude::*;

image! {
    pub web {
        base: scratch(),
        layer main {
            run: "a" +,
            run: format("a", x.),
            run: &,
            run: std:,
            run: if x,
            run: |x,
            run: "a" "b",
            run: let x,
            run: "true" { cwd: a.b::, network: !, env: { A: "a" + } },
            run: a b c,
            run: a::<,
        }
        test opens { tcp: 80 + }
    }
}

fn main() {
    let _: Image = web();
}
