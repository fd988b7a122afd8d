//! O turno inteiro sob bytes quaisquer: veja `alvos/conexao.rs`.

#![no_main]

#[path = "../alvos/conexao.rs"]
mod conexao;
#[path = "../../tests/simulacao/enquadramento.rs"]
mod enquadramento;
#[path = "../../tests/simulacao/evento.rs"]
#[allow(dead_code, reason = "o sorteio fica com a simulação: aqui quem inventa é o fuzzer")]
mod evento;
#[path = "../../tests/simulacao/ficha.rs"]
mod ficha;
#[path = "../../tests/simulacao/fluxo.rs"]
mod fluxo;
#[path = "../../tests/simulacao/livro_de_mentira.rs"]
mod livro_de_mentira;
#[path = "../../tests/simulacao/mundo.rs"]
mod mundo;
#[path = "../../tests/simulacao/oraculo.rs"]
mod oraculo;
#[path = "../../tests/simulacao/veredito.rs"]
mod veredito;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conexao::experimentar(bytes));
