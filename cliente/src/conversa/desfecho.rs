//! O que uma resposta disse a quem pediu. Só traduz: a mensagem é do protocolo, e o que ela prova é da auditoria.

use protocolo::Mensagem;

use super::texto::comeco;

/// O que uma resposta disse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desfecho {
    /// CONSULTAR leu este estoque.
    Leu(i128),
    /// CONSULTAR foi respondido, e o número admite mais de uma leitura.
    LeuSemNumero,
    /// COMPRAR vendeu, e restou isto.
    Comprou(i128),
    /// COMPRAR vendeu, e quanto restou não se sabe: o número falta, ou admite mais de uma leitura.
    ComprouSemNumero,
    /// COMPRAR ouviu que o produto esgotou.
    Recusado,
    /// O servidor não alcança o estoque, que divide com outros: nada foi vendido, e quanto há não se sabe.
    ForaDeAlcance,
    /// Outra coisa: não é resposta ao que se pediu. O texto já é só o visível.
    Estranho(String),
}

impl Desfecho {
    /// Mostra que não há mais o que vender?
    pub fn esgotou(&self) -> bool {
        match self {
            Desfecho::Leu(valor) | Desfecho::Comprou(valor) => *valor <= 0,
            Desfecho::Recusado => true,
            Desfecho::LeuSemNumero | Desfecho::ComprouSemNumero => false,
            Desfecho::ForaDeAlcance | Desfecho::Estranho(_) => false,
        }
    }

    /// O que esta mensagem diz a quem pediu COMPRAR (`compra`) ou CONSULTAR, também em outras palavras.
    pub fn de(compra: bool, mensagem: &Mensagem) -> Self {
        match (compra, mensagem) {
            (false, Mensagem::Estoque(atual)) => Desfecho::Leu(*atual),
            (false, Mensagem::EstoqueSemNumero(_)) => Desfecho::LeuSemNumero,
            (true, Mensagem::Compra { restante }) => Desfecho::Comprou(*restante),
            (true, Mensagem::CompraSemNumero(_)) => Desfecho::ComprouSemNumero,
            (true, Mensagem::Esgotado) => Desfecho::Recusado,
            (_, Mensagem::ForaDeAlcance) => Desfecho::ForaDeAlcance,
            (_, Mensagem::Outra(texto)) => match Mensagem::em_outras_palavras(compra, texto) {
                Some(entendida) => Desfecho::de(compra, &entendida),
                None => Desfecho::Estranho(comeco(texto)),
            },
            (_, outra) => Desfecho::Estranho(comeco(&outra.to_string())),
        }
    }

    /// É uma venda, ainda que não se saiba quanto restou?
    pub fn vendeu(&self) -> bool {
        matches!(self, Desfecho::Comprou(_) | Desfecho::ComprouSemNumero)
    }
}
