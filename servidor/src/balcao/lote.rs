//! Os pedidos de um lote, na ordem em que se leram, e de quem são. Só guarda: quem decide é o balcão.
//!
//! Quem compra sem parar manda o mesmo pedido muitas vezes seguidas: cada sequência ocupa um lugar só.

use std::slice::Iter;
use std::vec::Drain;

use protocolo::Comando;

/// O que uma conexão pediu, tantas vezes seguidas.
#[derive(Debug)]
pub(super) struct Pedido {
    pub(super) chave: usize,
    pub(super) comando: Comando,
    pub(super) vezes: usize,
}

/// Os pedidos, e quantos são, contada cada vez.
#[derive(Debug, Default)]
pub(super) struct Lote {
    pedidos: Vec<Pedido>,
    quantos: usize,
}

impl Lote {
    pub(super) fn juntar(&mut self, pedido: Pedido) {
        self.quantos += pedido.vezes;
        self.pedidos.push(pedido);
    }

    pub(super) fn quantos(&self) -> usize {
        self.quantos
    }

    pub(super) fn vazio(&self) -> bool {
        self.pedidos.is_empty()
    }

    pub(super) fn iter(&self) -> Iter<'_, Pedido> {
        self.pedidos.iter()
    }

    /// Tira-os todos; o lugar deles fica, para o próximo lote.
    pub(super) fn esvaziar(&mut self) -> Drain<'_, Pedido> {
        self.quantos = 0;
        self.pedidos.drain(..)
    }
}
