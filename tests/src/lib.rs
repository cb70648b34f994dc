//! Empty: the tests of this package lie beside it, one program each.
