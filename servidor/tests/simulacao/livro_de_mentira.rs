//! O livro de mentira: um disco que esquece o que não foi confirmado.
//!
//! Em produção é o SQLite; o que o turno vê dele é só isto: uma transação por turno, que firma ou
//! falha. De uma que falhou não se sabe se chegou ao disco, e aqui acontecem as duas coisas.

use std::cell::RefCell;

use std::time::{Duration, Instant};

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
    pub sorte: Sorte,
    /// Quanto demora a próxima transação, em milissegundos.
    pub demora: u64,
}

impl LivroFalso {
    pub fn novo(inicial: u64) -> Self {
        LivroFalso { inicial, firmes: 0, sorte: Sorte::Firma, demora: 0 }
    }

    /// O estoque de um servidor que abre com este livro.
    pub fn restantes(&self) -> u64 {
        self.inicial - self.firmes
    }

    /// Firma, ou não, e diz a hora a que acabou.
    fn firmar(
        &mut self,
        vendas: Vec<Venda>,
        agora: Instant,
        rede: &RefCell<Rede>,
    ) -> Result<Instant, NaoFirmou> {
        let sorte = std::mem::replace(&mut self.sorte, Sorte::Firma);
        let demora = std::mem::take(&mut self.demora);
        let firmou = sorte == Sorte::Firma;
        if sorte != Sorte::Perde {
            self.firmes += vendas.len() as u64;
        }
        rede.borrow_mut().anotar(Gesto::Firmou { vendas, firmou, demora });
        if firmou { Ok(agora + Duration::from_millis(demora)) } else { Err(NaoFirmou) }
    }
}

/// O livro durante um turno, que anota na rede o que se lhe pede. Como o de verdade, só vai ao disco com vendas.
#[derive(Debug)]
pub struct NoTurno<'a> {
    pub livro: &'a mut LivroFalso,
    pub rede: &'a RefCell<Rede>,
}

impl Estoque for NoTurno<'_> {
    type Pane = NaoFirmou;

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, NaoFirmou> {
        let antes = proposta.a_venda;
        let vendas: Vec<_> = proposta.vendas(antes).collect();
        if vendas.is_empty() {
            return Ok(Situacao::Firme(Firme { antes, quando: proposta.agora }));
        }
        let quando = self.livro.firmar(vendas, proposta.agora, self.rede)?;
        Ok(Situacao::Firme(Firme { antes, quando }))
    }
}
