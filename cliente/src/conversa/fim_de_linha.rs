//! O que vai depois de cada comando: nem todo servidor espera um LF.

use clap::ValueEnum;

/// O que vai depois de cada comando.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FimDeLinha {
    /// `\n`
    Lf,
    /// `\r\n`
    Crlf,
    /// Nada, como nos clientes de sala de aula
    Nenhum,
}

impl FimDeLinha {
    /// Na ordem em que se tentam com um servidor que não se conhece: vale o primeiro que ele entende.
    pub const TENTADOS: [FimDeLinha; 3] = [FimDeLinha::Lf, FimDeLinha::Nenhum, FimDeLinha::Crlf];

    /// O nome dele na linha de comando.
    pub fn nome(self) -> &'static str {
        match self {
            FimDeLinha::Lf => "lf",
            FimDeLinha::Crlf => "crlf",
            FimDeLinha::Nenhum => "nenhum",
        }
    }

    /// Os bytes a enviar.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            FimDeLinha::Lf => b"\n",
            FimDeLinha::Crlf => b"\r\n",
            FimDeLinha::Nenhum => b"",
        }
    }
}
