//! O bastante do protocolo do PostgreSQL (versão 3) para entrar, preparar a venda uma vez e depois só
//! repeti-la. Não há senhas (o grupo privado confia em quem está nesta máquina) nem erros: um erro também
//! termina em `ReadyForQuery`, e a conta do fim o denuncia.

use std::io;
use std::net::TcpStream;

use crate::fala::{self, Fala, trocar};

/// A tabela, com uma linha só.
const CRIAR: &str = "CREATE TABLE estoque (n bigint NOT NULL)";

const VENDER: &str = "UPDATE estoque SET n = n - 1 WHERE n > 0 RETURNING n";

/// Conta mensagens `ReadyForQuery`. Uma mensagem é uma letra, o tamanho (quatro bytes, que se contam) e o
/// resto.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leitor {
    cabeca: [u8; 5],
    na_cabeca: usize,
    /// Bytes do corpo ainda por vir.
    corpo: usize,
}

impl Leitor {
    /// Quantas terminam nestes bytes.
    pub fn contar(&mut self, mut bytes: &[u8]) -> usize {
        let mut prontas = 0;
        loop {
            if self.na_cabeca == 5 {
                let pulo = self.corpo.min(bytes.len());
                self.corpo -= pulo;
                bytes = &bytes[pulo..];
                if self.corpo > 0 {
                    return prontas;
                }
                prontas += usize::from(self.cabeca[0] == b'Z');
                self.na_cabeca = 0;
            }
            let Some((byte, resto)) = bytes.split_first() else { return prontas };
            bytes = resto;
            self.cabeca[self.na_cabeca] = *byte;
            self.na_cabeca += 1;
            if let (5, [_, tamanho @ ..]) = (self.na_cabeca, self.cabeca) {
                self.corpo = (u32::from_be_bytes(tamanho) as usize).saturating_sub(4);
            }
        }
    }
}

/// Como se vende: portal e comando já preparados, sem parâmetros, e o `Sync` que pede a resposta.
pub fn fala() -> Fala {
    let executar = mensagem(b'E', b"\0\0\0\0\0");
    let pedido = [mensagem(b'B', b"\0venda\0\0\0\0\0\0\0"), executar, mensagem(b'S', b"")].concat();
    Fala { pedido, leitor: fala::Leitor::Postgres(Leitor::default()) }
}

/// Entra em uma conexão nova e prepara a venda nela.
///
/// # Errors
///
/// O servidor fechou, ou passou o prazo do socket.
pub fn entrar(fluxo: &mut TcpStream) -> io::Result<()> {
    // A abertura é a única mensagem sem letra.
    let abertura = mensagem(b'-', b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let leitor = fala::Leitor::Postgres(Leitor::default());
    trocar(fluxo, &abertura[1..], leitor, 1)?;
    let preparar = mensagem(b'P', format!("venda\0{VENDER}\0\0\0").as_bytes());
    trocar(fluxo, &[preparar, mensagem(b'S', b"")].concat(), leitor, 1)?;
    Ok(())
}

/// Cria a tabela, com `estoque` unidades. Só depois dela se pode [`entrar`].
///
/// # Errors
///
/// O servidor ainda não atende.
pub fn criar(fluxo: &mut TcpStream, estoque: u64) -> io::Result<()> {
    let abertura = mensagem(b'-', b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let leitor = fala::Leitor::Postgres(Leitor::default());
    let entrou = trocar(fluxo, &abertura[1..], leitor, 1)?;
    if entrou.first() == Some(&b'E') {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let comandos = format!("{CRIAR}; INSERT INTO estoque VALUES ({estoque})\0");
    trocar(fluxo, &mensagem(b'Q', comandos.as_bytes()), leitor, 1)?;
    Ok(())
}

fn mensagem(letra: u8, corpo: &[u8]) -> Vec<u8> {
    let tamanho = (corpo.len() as u32 + 4).to_be_bytes();
    [&[letra][..], &tamanho, corpo].concat()
}
