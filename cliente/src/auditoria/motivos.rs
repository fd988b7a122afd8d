//! Por que não se julga: o que faltou ver para dizer algo das vendas, ou do AVISO. Só guarda e diz.

use protocolo::terminal::contar;
use thiserror::Error;

use super::regra::TOLERANCIA_DO_AVISO;
use crate::conversa::texto::citar;
use crate::tempo::formatar;

/// Por que não se julgam as vendas.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SemVendas {
    /// As respostas não se entendem.
    #[error("nenhuma {falta} foi entendida; a primeira foi {}", citar(.primeira))]
    NadaSeEntendeu {
        /// O que não se viu.
        falta: Falta,
        /// A primeira resposta.
        primeira: String,
    },
    /// As conexões se fecharam antes de cada compra.
    #[error("o servidor fechou a conexão antes de cada compra (a atividade a quer aberta, §5)")]
    Fechada,
    /// O servidor divide o estoque com outros, e não o alcançou.
    #[error("toda compra ouviu que o estoque está fora de alcance")]
    ForaDeAlcance,
    /// Ninguém chegou a comprar.
    #[error("nenhum COMPRAR chegou a ser enviado")]
    NadaSePediu,
    /// As compras ficaram sem resposta.
    #[error("nenhuma {falta} chegou, e {}", ficaram(*.compras))]
    NadaChegou {
        /// O que não se viu.
        falta: Falta,
        /// Quantas compras.
        compras: usize,
    },
}

fn ficaram(compras: usize) -> String {
    contar(compras, "COMPRAR ficou sem resposta", "COMPRAR ficaram sem resposta")
}

/// O que não se viu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falta {
    /// Houve recusas, mas nenhuma venda.
    Venda,
    /// Nem vendas nem recusas.
    Resposta,
}

impl std::fmt::Display for Falta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Falta::Venda => "venda",
            Falta::Resposta => "resposta a COMPRAR",
        })
    }
}

/// Por que não se julga o AVISO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SemAviso {
    /// Ninguém leu o estoque.
    #[error("não se viu o estoque")]
    EstoqueNaoVisto,
    /// O estoque se leu, e havia o que vender até o fim.
    #[error("o estoque não chegou a esgotar")]
    NaoEsgotou,
    /// Pode ter sido um AVISO.
    #[error("chegou algo em outras palavras, que não se reconhecem")]
    OutrasPalavras,
    /// Não há esgotamento que avisar.
    #[error("o estoque já estava esgotado quando a multidão chegou")]
    JaEsgotado,
    /// O esgotamento não foi um só.
    #[error("o estoque foi reposto, e o esgotamento não foi um só")]
    Reposto,
    /// Ninguém ficou para ouvi-lo.
    #[error(
        "ninguém que já conversava com o servidor ficou conectado por {} depois do esgotamento",
        formatar(TOLERANCIA_DO_AVISO)
    )]
    NinguemFicou,
}
