//! As cores do que se conclui: no terminal e na página. No terminal, quem se mostra em `{:#}` se pinta; em `{}`, não. Se as cores chegam à tela é com quem
//! escreve: o `anstream` as tira quando a saída não é um terminal ou há `NO_COLOR`. Sem a cor nada se perde: o
//! sinal ou a palavra dizem o mesmo.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// O que a cor quer dizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tinta {
    /// Está certo.
    Boa,
    /// Em parte.
    Media,
    /// Está errado.
    Ruim,
    /// Nem certo nem errado: não se sabe.
    Neutra,
}

impl Tinta {
    /// A de quem teve tantos pontos de tantos.
    pub fn dos_pontos(pontos: f64, de: f64) -> Self {
        match pontos {
            p if p >= de => Tinta::Boa,
            p if p > 0.0 => Tinta::Media,
            _ => Tinta::Ruim,
        }
    }

    /// A de uma nota: boa a partir de nove décimos, em parte a partir de seis.
    pub fn da_nota(nota: f64, maxima: f64) -> Self {
        match nota / maxima {
            parte if parte >= 0.9 => Tinta::Boa,
            parte if parte >= 0.6 => Tinta::Media,
            _ => Tinta::Ruim,
        }
    }

    /// O sinal que diz o mesmo que a cor.
    pub fn sinal(self) -> char {
        match self {
            Tinta::Boa => '✓',
            Tinta::Media => '~',
            Tinta::Ruim => '✗',
            Tinta::Neutra => '?',
        }
    }

    /// A classe dela na folha de estilo.
    pub fn classe(self) -> &'static str {
        match self {
            Tinta::Boa => "bom",
            Tinta::Media => "meio",
            Tinta::Ruim => "ruim",
            Tinta::Neutra => "fraco",
        }
    }

    fn estilo(self) -> Style {
        match self {
            Tinta::Boa => AnsiColor::Green.on_default().bold(),
            Tinta::Media => AnsiColor::Yellow.on_default().bold(),
            Tinta::Ruim => AnsiColor::Red.on_default().bold(),
            Tinta::Neutra => Style::new().dimmed(),
        }
    }
}

/// Escreve `texto`, com esta tinta se foi pedido em cores.
pub fn pintar(f: &mut fmt::Formatter<'_>, tinta: Tinta, texto: impl Display) -> fmt::Result {
    if f.alternate() {
        let estilo = tinta.estilo();
        write!(f, "{estilo}{texto}{estilo:#}")
    } else {
        write!(f, "{texto}")
    }
}
