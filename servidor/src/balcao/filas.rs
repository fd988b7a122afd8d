//! Quem tem o que fazer em cada etapa do turno. Só guarda: quem anda pelas filas são as etapas.

use std::collections::VecDeque;
use std::io::{Read, Write};

use crate::conexao::Conexao;

/// Uma conexão no slab e em que filas ela está.
#[derive(Debug)]
pub(super) struct Posto<F> {
    pub(super) conexao: Conexao<F>,
    /// A parte desta conexão em [`Filas::guardados`]. Com 32 bits, o posto inteiro ocupa 192 bytes: três linhas de
    /// cache.
    pub(super) guardava: u32,
    pub(super) na_leitura: bool,
    pub(super) na_escrita: bool,
    pub(super) na_remocao: bool,
}

/// Quem tem o que fazer, por etapa do turno, e quanto todas guardam. Cada chave aparece no máximo uma vez
/// em cada fila.
#[derive(Debug, Default)]
pub(super) struct Filas {
    pub(super) leitura: VecDeque<usize>,
    pub(super) escrita: VecDeque<usize>,
    pub(super) remocao: VecDeque<usize>,
    /// Bytes de memória que as conexões ocupam, somadas: nunca se anda por todas para saber.
    pub(super) guardados: usize,
}

impl Filas {
    /// Depois de mexer em uma conexão: entra nas filas que o estado dela pede, e a conta a acompanha.
    pub(super) fn enfileirar<F: Read + Write>(&mut self, chave: usize, posto: &mut Posto<F>) {
        let guarda = u32::try_from(posto.conexao.guardados()).unwrap_or(u32::MAX);
        if guarda != posto.guardava {
            self.guardados -= std::mem::replace(&mut posto.guardava, guarda) as usize;
            self.guardados += guarda as usize;
        }
        if !posto.na_leitura && posto.conexao.quer_ler() {
            posto.na_leitura = true;
            self.leitura.push_back(chave);
        }
        if !posto.na_escrita && posto.conexao.quer_escrever() {
            posto.na_escrita = true;
            self.escrita.push_back(chave);
        }
        if !posto.na_remocao && posto.conexao.encerrada().is_some() {
            posto.na_remocao = true;
            self.remocao.push_back(chave);
        }
    }
}
