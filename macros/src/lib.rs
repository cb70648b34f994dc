//! .
#[proc_macro]
pub fn image(input: proc_macro::TokenStream) -> proc_macro::TokenStream { input }
