//! O boletim para programas. Diz o que o boletim guarda; não julga.
//!
//! # O JSON
//!
//! Estável, como o da simulação: `formato` (1), `nome` (o de quem entregou, ou `null`), `servidor`, `comando` (o que repete a avaliação), `nota` (de 0 a 10, sem os extras), `itens`
//! (cada um com `nome`, `pontos`, `de` e as `conferencias`: `tentou`, `viu`, `pontos`, `de`), `extras`
//! (`nome`, `estado`, que é `cumprido`, `em-parte`, `nao-cumprido` ou `nao-avaliado`, `tentou`, `viu`),
//! `vereditos` (`estoque` e `aviso`, cada um com `veredito` e `texto`: o do estoque é `consistente`,
//! `inconsistente` ou `sem-veredito`; o do AVISO, um extra, é o estado dele),
//! `rodadas` (`atendidos`, `compradores`, `vendas`, `recusas`, `sem_resposta`, `estranhas`,
//! `primeira_estranha`, ou `null`, `contradicoes`, `primeira`, como as violações da simulação, ou `null`) e
//! `observacoes`.

use serde::Serialize;

use super::boletim::{Boletim, Conferencia, Estado, Extra, Item};
use super::evidencias::Rodada;
use crate::auditoria::veredito::Estoque;
use crate::relatorio::json::{Conclusao, Contradicao, Vereditos, em_texto};

#[derive(Serialize)]
struct Documento<'a> {
    formato: u32,
    nome: Option<&'a str>,
    servidor: &'a str,
    comando: &'a str,
    nota: f64,
    itens: Vec<ItemEmJson<'a>>,
    extras: &'a [Extra],
    vereditos: Vereditos<Estoque, Estado>,
    rodadas: Vec<RodadaEmJson<'a>>,
    observacoes: &'a [String],
}

#[derive(Serialize)]
struct ItemEmJson<'a> {
    nome: &'static str,
    pontos: f64,
    de: f64,
    conferencias: &'a [Conferencia],
}

#[derive(Serialize)]
struct RodadaEmJson<'a> {
    atendidos: usize,
    compradores: usize,
    vendas: u64,
    recusas: u64,
    sem_resposta: u64,
    estranhas: u64,
    primeira_estranha: Option<&'a str>,
    contradicoes: usize,
    primeira: Option<Contradicao>,
}

impl Boletim {
    /// O documento JSON.
    pub fn json(&self) -> String {
        let ((estoque, por_que_o_estoque), (aviso, por_que_o_aviso)) = (&self.estoque, &self.aviso);
        em_texto(&Documento {
            formato: 1,
            nome: self.nome.as_deref(),
            servidor: &self.servidor,
            comando: &self.comando,
            nota: self.nota(),
            itens: self.itens.iter().map(item).collect(),
            extras: &self.extras,
            vereditos: Vereditos {
                estoque: Conclusao { veredito: *estoque, texto: por_que_o_estoque.clone() },
                aviso: Conclusao { veredito: *aviso, texto: por_que_o_aviso.clone() },
            },
            rodadas: self.rodadas.iter().map(rodada).collect(),
            observacoes: &self.observacoes,
        })
    }
}

fn item(item: &Item) -> ItemEmJson<'_> {
    let (pontos, de) = (item.pontos(), item.de());
    ItemEmJson { nome: item.nome, pontos, de, conferencias: &item.conferencias }
}

fn rodada(rodada: &Rodada) -> RodadaEmJson<'_> {
    RodadaEmJson {
        atendidos: rodada.atendidos,
        compradores: rodada.compradores,
        vendas: rodada.vendas,
        recusas: rodada.recusas,
        sem_resposta: rodada.sem_resposta,
        estranhas: rodada.estranhas,
        primeira_estranha: rodada.primeira_estranha.as_deref(),
        contradicoes: rodada.contradicoes.len(),
        primeira: rodada.contradicoes.first().map(|primeira| Contradicao::de(primeira, &[])),
    }
}
