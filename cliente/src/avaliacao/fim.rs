//! Como o servidor avaliado terminou, e como o zelador o diz ao avaliador, em uma linha.

use std::str::FromStr;

/// Como o comando do servidor terminou.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fim {
    /// Por si, com este código.
    Saiu(i32),
    /// Por este sinal.
    Sinal(i32),
}

impl std::fmt::Display for Fim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fim::Saiu(codigo) => write!(f, "saiu {codigo}"),
            Fim::Sinal(sinal) => write!(f, "sinal {sinal}"),
        }
    }
}

impl FromStr for Fim {
    type Err = ();

    fn from_str(linha: &str) -> Result<Self, ()> {
        let (como, numero) = linha.split_once(' ').ok_or(())?;
        match (como, numero.parse()) {
            ("saiu", Ok(codigo)) => Ok(Fim::Saiu(codigo)),
            ("sinal", Ok(sinal)) => Ok(Fim::Sinal(sinal)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn o_fim_se_le_como_se_escreve() {
        for fim in [Fim::Saiu(0), Fim::Saiu(255), Fim::Sinal(11)] {
            assert_eq!(fim.to_string().parse(), Ok(fim));
        }
        for outra in ["", "saiu", "saiu x", "caiu 1", "sinal "] {
            assert_eq!(outra.parse::<Fim>(), Err(()));
        }
    }
}
