//! Quem vigia os vigias: planta defeitos no servidor e confere que os testes acham cada um.
//!
//! `cargo run -p testes --example defeitos` copia os fontes para uma pasta em `target`, aplica um
//! defeito de cada vez, compila, executa o teste que o tem de achar e mostra como o achou. Um defeito que
//! sobrevive é um teste que falta: o programa termina com 1. Com um texto (`-- AVISO`), planta só os que o
//! têm no nome ou no arquivo.
//!
//! - [`turno`]: o balcão, a conexão, o enquadramento e a loja, que a simulação confere;
//! - [`laco`]: o reator, o programa, os sinais e as opções;
//! - [`registro`]: o registro e para onde ele vai;
//! - [`metricas`]: o que se conta, o que se mede, e quem o lê;
//! - [`partilhado`]: a conversa com o etcd;
//! - [`no_livro`]: o livro, quem o vigia, a faxina e a conferência.
//!
//! Não mede tempo, e não toca nos fontes de verdade.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod laco;
mod metricas;
mod no_livro;
mod oficina;
mod partilhado;
mod registro;
mod turno;

use std::env;
use std::process::ExitCode;

use oficina::{Defeito, Oficina};

fn main() -> ExitCode {
    let filtro = env::args().skip(1).find(|argumento| !argumento.starts_with("--"));
    let tem = |defeito: &Defeito, texto: &str| {
        defeito.nome.contains(texto) || defeito.arquivo.contains(texto)
    };
    let todos = [
        turno::DEFEITOS,
        laco::DEFEITOS,
        registro::DEFEITOS,
        metricas::DEFEITOS,
        no_livro::DEFEITOS,
        partilhado::DEFEITOS,
    ];
    let oficina = Oficina::abrir();
    oficina.conferir(&todos.iter().copied().flatten().collect::<Vec<_>>());
    let escolhidos: Vec<&Defeito> = todos
        .iter()
        .copied()
        .flatten()
        .filter(|defeito| filtro.as_ref().is_none_or(|texto| tem(defeito, texto)))
        .collect();
    oficina.conferir_os_testes(&escolhidos);
    println!("| defeito | arquivo | quem o achou |");
    println!("|---|---|---|");
    let mut sobreviventes = 0;
    for defeito in &escolhidos {
        let arquivo = defeito.arquivo.rsplit('/').next().unwrap_or_default();
        let achado = oficina.plantar(defeito);
        sobreviventes += usize::from(achado.is_none());
        println!(
            "| {} | {arquivo} | {} |",
            defeito.nome,
            achado.as_deref().unwrap_or("**ninguém**")
        );
    }
    println!("\n{} de {} defeitos achados.", escolhidos.len() - sobreviventes, escolhidos.len());
    if sobreviventes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
