//! O estoque partilhado sem rede: sessões de verdade diante de um etcd de mentira, que perde, repete e atrasa, e
//! esquece o passado.
//!
//! - [`etcd_de_mentira`]: transações, leituras em uma revisão, compactação; [`confronto`] confere que um etcd de
//!   verdade responde o mesmo;
//! - [`balcoes`]: os balcões de produção, com lotes em voo sobre um estoque que responde quando quer;
//! - [`horario`]: um sorteio de tudo o que pode acontecer a dois ou três servidores e ao que mandam;
//! - [`oraculo`]: o que nunca pode acontecer.
//!
//! ```text
//! PARTILHADO_HORARIOS=1000000 cargo test --release -p servidor --test partilhado ao_acaso -- --nocapture
//! PARTILHADO_SEMENTE=1234 cargo test -p servidor --test partilhado ao_acaso -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod balcoes;
mod confronto;
mod etcd_de_mentira;
mod horario;
mod oraculo;

use std::env;

use horario::Mundo;

/// Quantos horários no `cargo test` de todo dia.
const HORARIOS: u64 = 20_000;

fn numero(variavel: &str) -> Option<u64> {
    env::var(variavel).ok().map(|texto| texto.parse().unwrap())
}

#[test]
fn horarios_ao_acaso_nao_vendem_duas_vezes_nem_esquecem_uma_venda() {
    if let Some(semente) = numero("PARTILHADO_SEMENTE") {
        return Mundo::novo(semente, true).viver().unwrap();
    }
    let quantos = numero("PARTILHADO_HORARIOS").unwrap_or(HORARIOS);
    for semente in 0..quantos {
        if let Err(falha) = Mundo::novo(semente, false).viver() {
            panic!(
                "no horário {semente} de {quantos}: {falha}; repita com PARTILHADO_SEMENTE={semente}"
            );
        }
    }
    println!("{quantos} horários");
}

#[test]
fn balcoes_ao_acaso_respondem_na_ordem_e_nao_vendem_duas_vezes() {
    let quantos = numero("PARTILHADO_HORARIOS").unwrap_or(HORARIOS);
    for semente in numero("PARTILHADO_SEMENTE").map_or(0..quantos, |semente| semente..semente + 1) {
        if let Err(falha) = balcoes::Casa::nova(semente).viver() {
            panic!(
                "na casa {semente} de {quantos}: {falha}; repita com PARTILHADO_SEMENTE={semente}"
            );
        }
    }
    println!("{quantos} casas");
}
