//! O livro de mentira: um disco que esquece o que não foi confirmado.
//!
//! Em produção é o SQLite; o que o turno vê dele é só isto: uma transação por turno, que firma ou
//! falha. De uma que falhou não se sabe se chegou ao disco, e aqui acontecem as duas coisas.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocolo::{Id, Resposta};
use servidor::estoque::{Estoque, Firme, Proposta, Situacao};
use servidor::loja::Venda;

use crate::fluxo::{Gesto, Rede};

/// O que a próxima transação fará.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorte {
    Firma,
    /// Falha, e o disco não a tem.
    Perde,
    /// Falha ao confirmar, mas o disco já a tinha.
    PerdeSoAResposta,
}

/// O livro não firmou.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NaoFirmou;

#[derive(Debug)]
pub struct LivroFalso {
    pub inicial: u64,
    /// Quantas vendas o disco tem.
    pub firmes: u64,
    /// O que o disco tem de cada pedido com id: quanto sobrou depois dele, ou que já não havia.
    pub numerados: HashMap<String, Option<u64>>,
    pub sorte: Sorte,
    /// Quanto demora a próxima transação, em milissegundos.
    pub demora: u64,
}

impl LivroFalso {
    pub fn novo(inicial: u64) -> Self {
        LivroFalso { inicial, firmes: 0, numerados: HashMap::new(), sorte: Sorte::Firma, demora: 0 }
    }

    /// O estoque de um servidor que abre com este livro.
    pub fn restantes(&self) -> u64 {
        self.inicial - self.firmes
    }

    /// Firma, ou não, e diz a hora a que acabou.
    fn firmar(
        &mut self,
        vendas: Vec<Venda>,
        numerados: Vec<(String, Option<u64>)>,
        agora: Instant,
        rede: &RefCell<Rede>,
    ) -> Result<Instant, NaoFirmou> {
        let sorte = std::mem::replace(&mut self.sorte, Sorte::Firma);
        let demora = std::mem::take(&mut self.demora);
        let firmou = sorte == Sorte::Firma;
        if sorte != Sorte::Perde {
            self.firmes += vendas.len() as u64;
            self.numerados.extend(numerados.iter().cloned());
        }
        rede.borrow_mut().anotar(Gesto::Firmou { numerados, vendas, firmou, demora });
        if firmou { Ok(agora + Duration::from_millis(demora)) } else { Err(NaoFirmou) }
    }
}

/// O livro durante um turno, que anota na rede o que se lhe pede. Como o de verdade, só vai ao disco com o que
/// guardar.
#[derive(Debug)]
pub struct NoTurno<'a> {
    pub livro: &'a mut LivroFalso,
    pub rede: &'a RefCell<Rede>,
}

impl Estoque for NoTurno<'_> {
    type Pane = NaoFirmou;

    fn resposta_a(&mut self, id: &Id) -> Result<Option<Resposta>, NaoFirmou> {
        let resposta = |sobrou: &Option<u64>| match sobrou {
            Some(restante) => Resposta::Compra { restante: *restante },
            None => Resposta::Esgotado,
        };
        Ok(self.livro.numerados.get(id.texto()).map(resposta))
    }

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, NaoFirmou> {
        let antes = proposta.a_venda;
        let vendas: Vec<_> = proposta.vendas(antes).collect();
        let numerados: Vec<_> = proposta
            .numerados
            .iter()
            .map(|(lugar, id)| (id.texto().to_owned(), antes.checked_sub(*lugar as u64 + 1)))
            .collect();
        if vendas.is_empty() && numerados.is_empty() {
            return Ok(Situacao::Firme(Firme { antes, quando: proposta.agora }));
        }
        let quando = self.livro.firmar(vendas, numerados, proposta.agora, self.rede)?;
        Ok(Situacao::Firme(Firme { antes, quando }))
    }
}
