//! O encontro entre o turno e quem guarda o estoque: o turno pergunta antes de decidir o lote.
//!
//! Quem guarda responde na hora (a memória, o livro) ou depois (um estoque repartido entre servidores, que
//! fica do outro lado da rede); o turno é o mesmo. Aqui só há as palavras dessa conversa, e o estoque mais
//! simples: o que só existe na [`Loja`](crate::loja::Loja).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Instant;

use protocolo::{Id, Resposta};

use crate::loja::Venda;

/// As compras de um lote, na ordem. Nenhuma: só se quer ler.
#[derive(Debug, Clone, Copy)]
pub struct Proposta<'a> {
    /// Quem compra.
    pub compradores: &'a [SocketAddr],
    /// As compras que têm um id, que nunca o tiveram antes: o lugar entre os compradores, e ele.
    pub numerados: &'a [(usize, Id)],
    /// Unidades à venda, que o turno saiba.
    pub a_venda: u64,
    /// O começo do turno.
    pub agora: Instant,
}

impl<'a> Proposta<'a> {
    /// O que se vende a estes compradores com `antes` unidades à venda: os primeiros levam.
    pub fn vendas(self, antes: u64) -> impl Iterator<Item = Venda> + 'a {
        let quantas = usize::try_from(antes).unwrap_or(usize::MAX).min(self.compradores.len());
        let venda = move |(endereco, vez): (&SocketAddr, u64)| Venda {
            endereco: *endereco,
            restante: antes - vez,
        };
        self.compradores[..quantas].iter().zip(1..).map(venda)
    }
}

/// Um lote que se pode decidir: as suas compras valem, e nenhuma queda as desfaz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firme {
    /// Unidades à venda logo antes da primeira compra do lote.
    pub antes: u64,
    /// Quando ficou firme.
    pub quando: Instant,
}

/// O que se sabe de um lote, logo depois de propô-lo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situacao {
    /// Já se pode decidir.
    Firme(Firme),
    /// A resposta virá em uma [`Noticia`].
    EmVoo,
}

/// O que chega sem que o turno pergunte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticia {
    /// O lote em voo já se pode decidir.
    Firme(Firme),
    /// Nenhuma compra do lote em voo valeu, nem valerá.
    NaoValeu,
    /// As compras do lote em voo podem ter valido, e já não há como saber quais.
    SemDesfecho,
    /// O lote em voo não valeu, nem valerá, porque estes pedidos dele já tinham tido estas respostas. Sem eles, pode-se
    /// propor outra vez.
    Repetidos(Vec<(Id, Resposta)>),
    /// Outro servidor vendeu a última unidade.
    Esgotou,
    /// Quem guarda o estoque deixou de responder, ou voltou.
    Alcance(Alcance),
}

/// Chega-se a quem guarda o estoque?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alcance {
    /// Responde.
    Responde,
    /// Há tempo demais não responde.
    Cala,
    /// Responde que já não tem lugar para mais nada.
    SemLugar,
}

/// Quem guarda o estoque.
pub trait Estoque {
    /// Por que não se pode mais vender.
    type Pane;

    /// O que chegou desde a última vez, uma coisa de cada vez. Não espera.
    ///
    /// # Errors
    ///
    /// Não se pode mais vender.
    fn colher(&mut self) -> Result<Option<Noticia>, Self::Pane> {
        Ok(None)
    }

    /// O que já se respondeu a um PEDIDO com este id, se ele é dos que este estoque guarda.
    ///
    /// # Errors
    ///
    /// Não se pode mais vender.
    fn resposta_a(&mut self, _id: &Id) -> Result<Option<Resposta>, Self::Pane> {
        Ok(None)
    }

    /// Um lote. Com um em voo, não se propõe outro.
    ///
    /// # Errors
    ///
    /// Não se pode mais vender, e nada deste lote foi dito a ninguém.
    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, Self::Pane>;

    /// Quantos pedidos com id um lote pode ter, mais os de uma conexão.
    fn pedidos_por_lote(&self) -> usize {
        usize::MAX
    }

    /// O turno acabou, e não há mais o que propor nele.
    fn fim_do_turno(&mut self) {}

    /// Quando se quer um turno, ainda que nada aconteça.
    fn prazo(&self) -> Option<Instant> {
        None
    }
}

/// O estoque de quem não tem livro: só existe na loja, e acaba com o programa.
#[derive(Debug, Clone, Copy)]
pub struct Memoria;

impl Estoque for Memoria {
    type Pane = Infallible;

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, Infallible> {
        Ok(Situacao::Firme(Firme { antes: proposta.a_venda, quando: proposta.agora }))
    }
}
