//! O enquadramento sob bytes quaisquer: veja `alvos/linhas.rs`.

#![no_main]

#[path = "../../tests/simulacao/enquadramento.rs"]
mod enquadramento;
#[path = "../alvos/linhas.rs"]
mod linhas;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| linhas::experimentar(bytes));
