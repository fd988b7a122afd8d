//! Os pedidos numerados já decididos, para que o mesmo, repetido, tenha a mesma resposta.
//!
//! Só os últimos cabem na memória: quem tem um livro pergunta-lhe pelos outros, e quem não tem os esquece.
//! Esquecer é à parte de lembrar, para que nada se esqueça no meio de um lote.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use protocolo::{Id, Resposta};

/// De quantos pedidos se lembra, sem contar os do livro: uns 20 MB, se todos tiverem o maior id.
pub const PEDIDOS_LEMBRADOS: usize = 100_000;

/// As respostas dadas, e a ordem em que se deram.
#[derive(Debug)]
pub struct Pedidos {
    respostas: HashMap<Id, Resposta>,
    ordem: VecDeque<Id>,
    maximo: usize,
}

impl Pedidos {
    /// Nenhum ainda; os `maximo` últimos não se esquecem.
    pub fn novos(maximo: usize) -> Self {
        Pedidos { respostas: HashMap::new(), ordem: VecDeque::new(), maximo }
    }

    /// O que se respondeu a este.
    pub fn resposta(&self, id: &Id) -> Option<Resposta> {
        self.respostas.get(id).copied()
    }

    /// A resposta a este foi esta. De um que já tem a sua, fica a primeira.
    pub fn lembrar(&mut self, id: Id, resposta: Resposta) {
        if let Entry::Vacant(vaga) = self.respostas.entry(id.clone()) {
            vaga.insert(resposta);
            self.ordem.push_back(id);
        }
    }

    /// Ficam os últimos.
    pub fn esquecer_os_antigos(&mut self) {
        while self.ordem.len() > self.maximo
            && let Some(antigo) = self.ordem.pop_front()
        {
            self.respostas.remove(&antigo);
        }
    }
}
