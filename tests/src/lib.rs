//! As ferramentas dos testes de ponta a ponta.
//!
//! - [`binario`] constrói os programas, uma vez por processo, e diz onde estão;
//! - [`Processo`] é um programa em execução: o que ele escreve, os sinais, o fim;
//! - [`Servidor`] é um `servidor` aberto em uma porta que o sistema escolheu;
//! - [`Cliente`] fala com ele pela rede, inclusive como um cliente não deveria;
//! - [`Honesto`] pergunta o tempo todo e mede quanto espera, e [`Exame`] diz quanto um processo gasta;
//! - [`abre`] diz o comando que abre o servidor de um aluno de `alunos/`, e [`abrir_aluno`] o abre;
//! - [`abrir_pagina`] mostra uma página a um navegador;
//! - [`ler_metricas`] lê as métricas dele, como um Prometheus;
//! - [`Passagem`] fica entre os dois, e perde respostas;
//! - [`multidao`] põe o `cliente` diante dele, ou de um servidor de mentira, que faz o que não devia.
//!
//! Toda espera tem um fim ([`PRAZO`]) e espera por um acontecimento: nada aqui dorme um tempo e
//! torce. Nenhum processo sobrevive ao teste que o abriu, nem quando o teste falha.
//!
//! Um teste que não consegue o que precisa entra em pânico, com o que viu até ali. É assim que se
//! falha em um teste, e por isso o pânico é permitido nesta crate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alunos;
mod captura;
mod cliente;
mod exame;
mod gemeos;
mod honesto;
mod metricas;
mod multidao;
mod navegador;
mod passagem;
mod processo;
mod programas;
mod servidor;

use std::thread;
use std::time::{Duration, Instant};

pub use alunos::{abre, abrir_aluno, ninguem_atende, python, script};
pub use captura::Captura;
pub use cliente::Cliente;
pub use exame::{Exame, descritores_para};
pub use gemeos::{Gemeos, Jeito};
pub use honesto::{Honesto, Medida, duracao};
pub use metricas::{
    LER_METRICAS, PAINEL_E_TEXTO, corpo, ler, ler_metricas, metricas_citadas, metricas_da_tabela,
    numero, onde_mostra,
};
pub use multidao::{
    argumentos, atender_sempre, conferir_pedidos, conta, multidao, porta_fechada, porta_livre,
    quem_vende_sempre_a_mesma, servidor_que, veredito, veredito_do_aviso,
};
pub use navegador::{abrir_pagina, navegador};
pub use passagem::{Passagem, UMA_SE_PERDE_EM};
pub use processo::{
    Processo, Termino, em_um_terminal, executar, nao_abre, palavras_em_ingles, recusa,
};
pub use programas::{binario, comando, otimizado, por_meio_de, sem_privilegios};
pub use rustix::process::Signal;
pub use servidor::Servidor;

/// O máximo que se espera por qualquer coisa. É muito de propósito: uma máquina ocupada atrasa um
/// teste, e só um defeito o faz esperar até aqui.
pub const PRAZO: Duration = Duration::from_secs(20);

/// Tenta até conseguir.
///
/// # Panics
///
/// Passou o [`PRAZO`]; `o_que` é o que se esperava.
pub fn ate<T>(o_que: &str, tentar: impl FnMut() -> Option<T>) -> T {
    ate_em(PRAZO, o_que, tentar)
}

/// Como [`ate`], para o que por definição demora mais que o [`PRAZO`].
///
/// # Panics
///
/// Passou o `prazo`; `o_que` é o que se esperava.
pub fn ate_em<T>(prazo: Duration, o_que: &str, mut tentar: impl FnMut() -> Option<T>) -> T {
    let limite = Instant::now() + prazo;
    loop {
        if let Some(valor) = tentar() {
            return valor;
        }
        assert!(Instant::now() < limite, "esperei {prazo:?} e nada: {o_que}");
        thread::sleep(Duration::from_millis(5));
    }
}
