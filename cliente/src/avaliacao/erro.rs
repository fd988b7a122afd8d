//! Por que não se pôde avaliar. O que o servidor faz de errado não é erro daqui: é evidência.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use protocolo::terminal::explicar;
use thiserror::Error;

use super::modulo::pode_ser_da_maquina;
use super::processos::Dono;
use crate::tempo::como_se_pede;

/// Por que não houve avaliação.
#[derive(Debug, Error)]
pub enum Erro {
    /// O nome do servidor não existe.
    #[error("'{0}' não é um servidor conhecido; confira --servidor")]
    ServidorDesconhecido(String),
    /// Não se pode ouvir o Ctrl-C.
    #[error("não posso capturar o Ctrl-C: {}", explicar(.0))]
    SemCtrlC(io::Error),
    /// Nem uma thread para os compradores.
    #[error("o sistema não deu nenhuma thread: {}", explicar(.0))]
    SemThreads(io::Error),
    /// O servidor que já estava no ar não atende.
    #[error("ninguém atende em {endereco}: {}", explicar(.erro))]
    NinguemAtende {
        /// Onde ele devia estar.
        endereco: SocketAddr,
        /// O que o sistema disse.
        erro: io::Error,
    },
    /// Há outro servidor na porta.
    #[error("já há um servidor na porta {porta}{}, ou avalie-o com --servidor", como_fechar(.dono))]
    PortaOcupada {
        /// A porta.
        porta: u16,
        /// Quem a tem, se o sistema diz.
        dono: Option<Dono>,
    },
    /// O servidor já está no ar, e não há comando que o abra.
    #[error("não há comando a executar")]
    SemComando,
    /// O sistema não executou o comando.
    #[error("não posso executar '{comando}': {}", explicar(.erro))]
    NaoExecuta {
        /// O comando.
        comando: String,
        /// O que o sistema disse.
        erro: io::Error,
    },
    /// Quem o executaria parou antes disso, e o que disse: falta alguma coisa a esta máquina.
    #[error("o sistema não executou o servidor{0}")]
    SistemaNaoExecutou(String),
    /// O servidor caiu antes de abrir, e por quê.
    #[error("o servidor terminou antes de abrir{0}")]
    Terminou(String),
    /// Está vivo, e não atende onde se esperava.
    #[error("o servidor não abriu {endereco} em {}{porque}", como_se_pede(*.espera))]
    NaoAbriu {
        /// Onde se esperava.
        endereco: SocketAddr,
        /// Quanto se esperou.
        espera: Duration,
        /// O que se sabe dele, e o que conferir.
        porque: String,
        /// A porta em que ele escuta, se é outra.
        outra: Option<u16>,
    },
    /// Pediu-se a parada.
    #[error("interrompido antes de o servidor abrir")]
    Interrompido,
}

impl Erro {
    /// A causa é o servidor, e não alguma coisa que pode só faltar nesta máquina?
    pub fn do_servidor(&self) -> bool {
        match self {
            Erro::Terminou(causa) => !pode_ser_da_maquina(causa),
            Erro::NaoAbriu { .. } => true,
            Erro::ServidorDesconhecido(_)
            | Erro::SemCtrlC(_)
            | Erro::SemThreads(_)
            | Erro::NinguemAtende { .. }
            | Erro::PortaOcupada { .. }
            | Erro::SemComando
            | Erro::NaoExecuta { .. }
            | Erro::SistemaNaoExecutou(_)
            | Erro::Interrompido => false,
        }
    }
}

fn como_fechar(dono: &Option<Dono>) -> String {
    match dono {
        Some(Dono { pid, comando }) => {
            format!(": '{comando}' (processo {pid}); encerre-o com kill {pid}")
        }
        None => "; feche-o".into(),
    }
}
