//! A língua de cada par: os bytes de um pedido e como contar as respostas. Não interpreta respostas; a
//! conta do fim ([`Par::conferir`](crate::pares::Par::conferir)) diz se eram as certas.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::postgres;

/// Como se fala com um par.
#[derive(Debug, Clone)]
pub struct Fala {
    /// Um pedido inteiro.
    pub pedido: Vec<u8>,
    /// Como se contam as respostas.
    pub leitor: Leitor,
}

/// Conta respostas em um fluxo, onde quer que ele se corte.
#[derive(Debug, Clone, Copy)]
pub enum Leitor {
    /// Uma resposta é uma linha.
    Linhas,
    /// Uma resposta são duas linhas; se uma já veio.
    DuasLinhas(bool),
    /// Uma resposta termina na mensagem `ReadyForQuery`.
    Postgres(postgres::Leitor),
}

impl Leitor {
    /// Quantas respostas terminam nestes bytes.
    pub fn contar(&mut self, bytes: &[u8]) -> usize {
        match self {
            Leitor::Linhas => contar_linhas(bytes),
            Leitor::DuasLinhas(veio_uma) => {
                let linhas = contar_linhas(bytes) + usize::from(*veio_uma);
                *veio_uma = linhas % 2 == 1;
                linhas / 2
            }
            Leitor::Postgres(leitor) => leitor.contar(bytes),
        }
    }
}

/// Em pedaços que um `u8` conta, para que o compilador os some muitos de uma vez.
fn contar_linhas(bytes: &[u8]) -> usize {
    let somar = |pedaco: &[u8]| pedaco.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    bytes.chunks(255).map(|pedaco| usize::from(somar(pedaco))).sum()
}

impl Fala {
    /// Um pedido é uma linha, e a resposta também.
    pub fn de_linhas(pedido: &str) -> Self {
        Fala { pedido: pedido.into(), leitor: Leitor::Linhas }
    }

    /// O que vem antes do primeiro pedido de uma conexão.
    ///
    /// # Errors
    ///
    /// O par não deixou entrar.
    pub fn entrar(&self, fluxo: &mut TcpStream) -> io::Result<()> {
        match self.leitor {
            Leitor::Linhas | Leitor::DuasLinhas(_) => Ok(()),
            Leitor::Postgres(_) => postgres::entrar(fluxo),
        }
    }

    /// Um pedido e a resposta dele, sem pressa; devolve os bytes que vieram.
    ///
    /// # Errors
    ///
    /// O par fechou, ou passou o prazo do socket.
    pub fn conversar(&self, fluxo: &mut TcpStream) -> io::Result<Vec<u8>> {
        trocar(fluxo, &self.pedido, self.leitor, 1)
    }
}

/// Manda estes bytes e lê até `respostas` respostas.
///
/// # Errors
///
/// O par fechou, ou passou o prazo do socket.
pub fn trocar(
    fluxo: &mut TcpStream,
    pedido: &[u8],
    mut leitor: Leitor,
    respostas: usize,
) -> io::Result<Vec<u8>> {
    fluxo.write_all(pedido)?;
    let mut ouvido = Vec::new();
    let mut faltam = respostas;
    let mut bytes = [0; 4096];
    while faltam > 0 {
        let lidos = fluxo.read(&mut bytes)?;
        if lidos == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        faltam = faltam.saturating_sub(leitor.contar(&bytes[..lidos]));
        ouvido.extend_from_slice(&bytes[..lidos]);
    }
    Ok(ouvido)
}
