//! O livro de mentira: um disco que esquece o que não foi confirmado.
//!
//! Em produção é o SQLite; o que o turno vê dele é só isto: uma transação por turno, que firma ou
//! falha. De uma que falhou não se sabe se chegou ao disco, e aqui acontecem as duas coisas.

use std::cell::RefCell;

use std::time::{Duration, Instant};

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
    pub fn firmar(
        &mut self,
        vendas: &[Venda],
        agora: Instant,
        rede: &RefCell<Rede>,
    ) -> Result<Instant, NaoFirmou> {
        let sorte = std::mem::replace(&mut self.sorte, Sorte::Firma);
        let demora = std::mem::take(&mut self.demora);
        let firmou = sorte == Sorte::Firma;
        rede.borrow_mut().anotar(Gesto::Firmou { vendas: vendas.to_vec(), firmou, demora });
        if sorte != Sorte::Perde {
            self.firmes += vendas.len() as u64;
        }
        if firmou { Ok(agora + Duration::from_millis(demora)) } else { Err(NaoFirmou) }
    }
}
