//! O boletim: a nota, item por item, com o que se tentou e o que se viu. Só guarda e mostra; o JSON está em
//! `json`, e a página em `pagina`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::evidencias::Rodada;
use super::falhas::Falha;
use crate::auditoria::regra::Regra;
use crate::auditoria::veredito::Estoque;
use crate::auditoria::violacao::Violacao;
use crate::cores::{self, Tinta};

/// O resultado de uma avaliação. `Display` é o que se lê no terminal; `{:#}` é o mesmo, em cores.
#[derive(Debug, Clone, PartialEq)]
pub struct Boletim {
    /// De quem é o que se avaliou, se o disseram.
    pub nome: Option<String>,
    /// O comando que abriu o servidor, ou o endereço dele.
    pub servidor: String,
    /// O comando que repete esta avaliação.
    pub comando: String,
    /// Os itens do §10, na ordem.
    pub itens: Vec<Item>,
    /// Os extras do §9.
    pub extras: Vec<Extra>,
    /// O que se conclui do estoque (§7.2), e por quê.
    pub estoque: (Estoque, String),
    /// O que se conclui do AVISO (§7.3), que é um extra e não muda o que se diz do estoque, e por quê.
    pub aviso: (Estado, String),
    /// As disputas.
    pub rodadas: Vec<Rodada>,
    /// O que esta avaliação não pode ver.
    pub observacoes: Vec<String>,
    /// A porta em que o servidor escuta.
    pub porta: u16,
    /// Quanto a avaliação levou.
    pub duracao: Duration,
}

/// Um item do §10.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// O nome que o enunciado lhe dá.
    pub nome: &'static str,
    /// O que se conferiu.
    pub conferencias: Vec<Conferencia>,
}

/// Uma coisa que se tentou e o que se viu.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conferencia {
    /// O que se tentou.
    pub tentou: String,
    /// O que se viu; se custou pontos, por quê.
    pub viu: String,
    /// Quantos pontos valeu.
    pub pontos: f64,
    /// Quantos podia valer.
    pub de: f64,
    /// De que falha são sinal os pontos que se perderam.
    #[serde(skip)]
    pub falha: Option<Falha>,
}

/// Um extra do §9.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extra {
    /// O nome que o enunciado lhe dá.
    pub nome: &'static str,
    /// Se foi cumprido.
    pub estado: Estado,
    /// O que se tentou.
    pub tentou: String,
    /// O que se viu.
    pub viu: String,
}

/// Se um extra foi cumprido.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estado {
    /// Sim.
    Cumprido,
    /// Uma parte.
    EmParte,
    /// Não.
    NaoCumprido,
    /// Daqui não se vê.
    NaoAvaliado,
}

impl Item {
    /// Os pontos do item.
    pub fn pontos(&self) -> f64 {
        self.conferencias.iter().map(|conferencia| conferencia.pontos).sum()
    }

    /// O peso do item.
    pub fn de(&self) -> f64 {
        self.conferencias.iter().map(|conferencia| conferencia.de).sum()
    }

    /// Valeu tudo, uma parte ou nada.
    pub(super) fn tinta(&self) -> Tinta {
        Tinta::dos_pontos(self.pontos(), self.de())
    }
}

impl Conferencia {
    /// A mesma conferência, valendo tantas vezes o que valia.
    pub(super) fn valendo(self, vezes: f64) -> Self {
        Conferencia { pontos: self.pontos * vezes, de: self.de * vezes, ..self }
    }

    /// Valeu tudo, uma parte ou nada.
    pub(super) fn tinta(&self) -> Tinta {
        Tinta::dos_pontos(self.pontos, self.de)
    }
}

impl Estado {
    /// A cor dele.
    pub(super) fn tinta(self) -> Tinta {
        match self {
            Estado::Cumprido => Tinta::Boa,
            Estado::EmParte => Tinta::Media,
            Estado::NaoCumprido => Tinta::Ruim,
            Estado::NaoAvaliado => Tinta::Neutra,
        }
    }
}

impl fmt::Display for Estado {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Estado::Cumprido => "cumprido",
            Estado::EmParte => "em parte",
            Estado::NaoCumprido => "não cumprido",
            Estado::NaoAvaliado => "não avaliado",
        })
    }
}

/// Pontos como uma pessoa os escreve: `3,0`, `0,25`.
pub fn nota(pontos: f64) -> String {
    let texto = format!("{pontos:.2}");
    texto.strip_suffix('0').unwrap_or(&texto).replace('.', ",")
}

impl Boletim {
    /// A nota, sem os extras.
    pub fn nota(&self) -> f64 {
        self.itens.iter().map(Item::pontos).sum()
    }

    /// A maior nota possível: 10, se os pesos são os do §10.
    pub fn maxima(&self) -> f64 {
        self.itens.iter().map(Item::de).sum()
    }

    /// O que mais custou pontos, em uma frase; vazia, se nada custou.
    pub fn razao(&self) -> String {
        let perdas = self.itens.iter().flat_map(|item| {
            item.conferencias.iter().map(move |c| (item.nome, c, c.de - c.pontos))
        });
        let maior = perdas.max_by(|(.., uma), (.., outra)| uma.total_cmp(outra));
        let maior = maior.filter(|(.., perdeu)| *perdeu > 1e-9);
        maior.map(|(nome, c, _)| format!("{nome}: {}", c.viu)).unwrap_or_default()
    }

    /// A primeira contradição da pior rodada, que é a que mais vendeu: das que custam o item inteiro, se há
    /// uma.
    pub fn pior_contradicao(&self) -> Option<&Violacao> {
        let piores = self.rodadas.iter().filter(|rodada| !rodada.contradicoes.is_empty());
        let contradicoes = &piores.max_by_key(|rodada| rodada.vendas)?.contradicoes;
        let grave =
            |v: &&Violacao| matches!(v.regra, Regra::VendaRepetida | Regra::EstoqueNegativo);
        contradicoes.iter().find(grave).or(contradicoes.first())
    }
}

impl fmt::Display for Boletim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let de_quem = self.nome.as_ref().map(|nome| format!("{nome}: ")).unwrap_or_default();
        writeln!(f, "{de_quem}Avaliação de {} pelos critérios da atividade (§10)", self.servidor)?;
        for item in &self.itens {
            writeln!(f, "\n{}: {} de {}", item.nome, nota(item.pontos()), nota(item.de()))?;
            for c in &item.conferencias {
                f.write_str("  ")?;
                cores::pintar(f, c.tinta(), c.tinta().sinal())?;
                writeln!(f, " {:>4}  {}", nota(c.pontos), c.tentou)?;
                writeln!(f, "          {}", c.viu)?;
            }
        }
        writeln!(f, "\nExtras (§9)")?;
        for extra in &self.extras {
            let tinta = extra.estado.tinta();
            f.write_str("  ")?;
            cores::pintar(f, tinta, tinta.sinal())?;
            writeln!(f, " {}: {}", extra.nome, extra.estado)?;
            writeln!(f, "          {}", extra.viu)?;
        }
        if let Some(pior) = self.pior_contradicao() {
            write!(f, "\nA primeira contradição da pior rodada: {pior}\n{}", pior.intercalacao())?;
        }
        writeln!(f)?;
        for observacao in &self.observacoes {
            writeln!(f, "Observação: {observacao}")?;
        }
        writeln!(f, "Veredito do estoque: {}", self.estoque.0)?;
        writeln!(f, "Veredito do AVISO, um extra que não muda a nota: {}", self.aviso.0)?;
        writeln!(f, "Nota: {} de {}, sem os extras", nota(self.nota()), nota(self.maxima()))
    }
}

#[cfg(test)]
pub(super) mod exemplos {
    use super::*;

    /// Um boletim com estes itens.
    pub fn boletim(itens: Vec<Item>, aviso: Estado) -> Boletim {
        Boletim {
            nome: None,
            servidor: String::new(),
            comando: String::new(),
            itens,
            extras: Vec::new(),
            estoque: (Estoque::Consistente, String::new()),
            aviso: (aviso, "não chegou a ninguém".into()),
            rodadas: Vec::new(),
            observacoes: Vec::new(),
            porta: 12346,
            duracao: Duration::from_micros(12_345_678),
        }
    }

    /// Uma conferência que valeu estes pontos.
    pub fn conferencia(viu: &str, pontos: f64, de: f64) -> Conferencia {
        Conferencia { tentou: "pede".into(), viu: viu.into(), pontos, de, falha: None }
    }
}
