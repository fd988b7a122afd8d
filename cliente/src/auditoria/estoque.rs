//! As quatro regras do estoque, e se houve por que julgá-lo. O porquê delas está em [`crate::auditoria`].

use std::collections::BTreeSet;
use std::time::Duration;

use super::leituras::ultima_venda;
use super::motivos::{Falta, SemVendas};
use super::regra::Regra;
use super::violacao::{Leitura, Origem, Violacao};
use crate::conversa::desfecho::Desfecho;
use crate::historia::vivido::{Falha, Historia, Operacao, Repetida};

/// Viu-se por que julgar as vendas? Uma venda, ou uma recusa a que não falte uma venda: se alguém viu o que
/// vender, ninguém viu vender, e há compras que não se sabe se valeram, o que houve de vendas não se viu.
pub(super) fn ha_vendas(historias: &[Historia], leituras: &[Leitura]) -> Result<(), SemVendas> {
    let viu = |que| leituras.iter().any(|leitura| leitura.origem == que);
    let havia = leituras.iter().any(|leitura| leitura.valor > 0);
    let compras = || historias.iter().flat_map(|h| &h.operacoes).filter(|o| o.compra);
    let em_duvida = compras().filter(|compra| compra.em_duvida()).count();
    let vendeu = compras().any(|o| o.resposta.as_ref().is_some_and(|(_, d)| d.vendeu()));
    if vendeu || viu(Origem::Recusa) && (em_duvida == 0 || !havia) {
        return Ok(());
    }
    let falta = if viu(Origem::Recusa) { Falta::Venda } else { Falta::Resposta };
    let estranhas = compras().filter_map(|compra| match &compra.resposta {
        Some((quando, Desfecho::Estranho(texto))) => Some((quando, texto)),
        _ => None,
    });
    if let Some((_, texto)) = estranhas.min_by_key(|(quando, _)| **quando) {
        return Err(SemVendas::NadaSeEntendeu { falta, primeira: texto.clone() });
    }
    let fora_de_alcance = |o: &Operacao| matches!(o.resposta, Some((_, Desfecho::ForaDeAlcance)));
    let mut falhas = historias.iter().flat_map(|h| &h.falhas);
    Err(match em_duvida {
        0 if compras().any(fora_de_alcance) => SemVendas::ForaDeAlcance,
        0 if falhas.any(|(_, falha)| *falha == Falha::Fechada) => SemVendas::Fechada,
        0 => SemVendas::NadaSePediu,
        compras => SemVendas::NadaChegou { falta, compras },
    })
}

/// Regra 1. Uma venda abaixo de zero é uma contradição; as consultas que depois leem o negativo são
/// só o eco dela, e contam apenas se a multidão não viu venda nenhuma assim.
pub(super) fn negativas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let (vendas, consultas): (Vec<&Leitura>, Vec<&Leitura>) =
        leituras.iter().filter(|l| l.valor < 0).partition(|l| l.origem == Origem::Venda);
    let eco = consultas.into_iter().min_by_key(|l| l.fim).filter(|_| vendas.is_empty());
    // Quem levou a última unidade de verdade: é com ele que a venda a mais disputou.
    let ultima = ultima_venda(leituras);
    for leitura in vendas.into_iter().chain(eco) {
        let provas = std::iter::once(*leitura).chain(ultima.copied()).collect();
        violacoes.push(Violacao { regra: Regra::EstoqueNegativo, quando: leitura.fim, provas });
    }
}

/// Regra 2.
pub(super) fn vendas_repetidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let mut vendas: Vec<&Leitura> = leituras.iter().filter(|l| l.origem == Origem::Venda).collect();
    vendas.sort_unstable_by_key(|venda| (venda.valor, venda.fim));
    for par in vendas.windows(2).filter(|par| par[0].valor == par[1].valor) {
        violacoes.push(Violacao {
            regra: Regra::VendaRepetida,
            quando: par[1].fim,
            provas: vec![*par[0], *par[1]],
        });
    }
}

/// Regra 3, em uma varredura: para cada leitura, a menor entre as que terminaram antes de ela
/// começar. Duas vendas da mesma unidade já foram contadas; e "esgotado" diz só que não há mais, e
/// por isso nunca vê demais.
pub(super) fn subidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let ve_o_numero =
        |leitura: &&Leitura| matches!(leitura.origem, Origem::Consulta | Origem::Venda);
    let mut por_inicio: Vec<&Leitura> = leituras.iter().filter(ve_o_numero).collect();
    por_inicio.sort_unstable_by_key(|leitura| leitura.inicio);
    let mut por_fim: Vec<&Leitura> = leituras.iter().collect();
    por_fim.sort_unstable_by_key(|leitura| leitura.fim);
    let mut terminadas = por_fim.into_iter().peekable();
    let mut menor: Option<&Leitura> = None;
    for leitura in por_inicio {
        while let Some(terminada) = terminadas.next_if(|l| l.fim < leitura.inicio) {
            if menor.is_none_or(|menor| terminada.valor < menor.valor) {
                menor = Some(terminada);
            }
        }
        let Some(menor) = menor.filter(|menor| leitura.antes() > menor.valor) else { continue };
        if (leitura.origem, leitura.valor) == (menor.origem, menor.valor)
            && menor.origem == Origem::Venda
        {
            continue;
        }
        violacoes.push(Violacao {
            regra: Regra::EstoqueSubiu,
            quando: leitura.fim,
            provas: vec![*leitura, *menor],
        });
    }
}

/// Regra 6. Em uma conexão dessincronizada, a segunda pode ser a de outro pedido.
pub(super) fn duas_respostas(historias: &[Historia]) -> impl Iterator<Item = Violacao> {
    historias.iter().flat_map(|historia| {
        let certa = |conexao: u32| {
            let mut dela = historia.conexoes.iter().filter(move |p| p.numero == conexao);
            !dela.any(|p| p.dessincronizada_desde.is_some())
        };
        let de = move |operacao: &Operacao| {
            let (pedido, (fim, primeira)) =
                (operacao.pedido.as_ref()?, operacao.resposta.as_ref()?);
            let repetida = pedido.repetida.as_ref().filter(|r| r.contradiz(primeira))?;
            let vista = |servidor, inicio, fim, desfecho: &Desfecho| {
                let (origem, valor) = match desfecho {
                    Desfecho::Comprou(restante) => (Origem::Venda, *restante),
                    Desfecho::Recusado => (Origem::Recusa, 0),
                    _ => (Origem::VendaSemNumero, 0),
                };
                Leitura { usuario: historia.usuario, servidor, inicio, fim, origem, valor }
            };
            let Repetida { servidor, enviada, chegou, desfecho } = repetida;
            let provas = vec![
                vista(operacao.servidor, operacao.enviada, *fim, primeira),
                vista(*servidor, *enviada, *chegou, desfecho),
            ];
            let regra = Regra::DuasRespostas { numero: pedido.numero };
            certa(operacao.conexao).then_some(Violacao { regra, quando: *chegou, provas })
        };
        historia.operacoes.iter().filter_map(de)
    })
}

/// Regra 4, a parte de cima. As leituras seguintes são o eco da primeira.
pub(super) fn acima_do_inicial(leituras: &[Leitura], inicial: i128) -> Option<Violacao> {
    let acima = leituras.iter().filter(|l| l.antes() > inicial).min_by_key(|l| l.fim)?;
    let regra = Regra::AcimaDoInicial { inicial };
    Some(Violacao { regra, quando: acima.fim, provas: vec![*acima] })
}

/// Regra 4, quando há vendas sem número: as outras regras não as veem, mas contá-las se pode.
pub(super) fn mais_que_havia(historias: &[Historia], inicial: i128) -> Option<Violacao> {
    let mut vendas = Vec::new();
    let mut sem_numero = false;
    for historia in historias {
        // Depois de dessincronizada a conexão, uma venda sem número pode ser a resposta anterior, dita de novo.
        let dessincronizada = |conexao: u32| {
            historia
                .conexoes
                .iter()
                .any(|p| p.numero == conexao && p.dessincronizada_desde.is_some())
        };
        for operacao in historia.operacoes.iter().filter(|o| !dessincronizada(o.conexao)) {
            let Some((fim, desfecho)) = &operacao.resposta else { continue };
            let (origem, valor) = match desfecho {
                Desfecho::Comprou(restante) => (Origem::Venda, *restante),
                Desfecho::ComprouSemNumero => (Origem::VendaSemNumero, 0),
                _ => continue,
            };
            sem_numero |= origem == Origem::VendaSemNumero;
            let (usuario, inicio) = (historia.usuario, operacao.enviada);
            let servidor = operacao.servidor;
            vendas.push(Leitura { usuario, servidor, inicio, fim: *fim, origem, valor });
        }
    }
    vendas.sort_by_key(|venda| venda.fim);
    let a_mais = usize::try_from(inicial).ok().and_then(|cabem| vendas.get(cabem))?;
    let regra = Regra::VendeuDemais { inicial, vendas: vendas.len() as i128 };
    sem_numero.then(|| Violacao { regra, quando: a_mais.fim, provas: vec![*a_mais] })
}

/// Regra 4, a parte de baixo. As unidades saem em ordem, e por isso a primeira sem dono é a que tem
/// menos tempo para ter sido vendida: até a primeira leitura que já não a vê. Se cada uma, nessa
/// ordem, tiver um pedido sem resposta que partiu a tempo, está explicada; a primeira que não tem é a
/// contradição. O laço gasta um pedido por volta, e por isso um estoque imenso não o prende. O que desce em
/// `sem_comprador` não é uma venda ([`super::reposicoes`]).
pub(super) fn sumidas(
    leituras: &[Leitura],
    partidas: Vec<Duration>,
    inicial: i128,
    sem_comprador: &BTreeSet<i128>,
) -> Option<Violacao> {
    let testemunhas = Testemunhas::reunir(leituras);
    let chao = leituras.iter().map(|l| l.valor).min()?.max(0);
    let vendas = leituras.iter().filter(|l| l.origem == Origem::Venda);
    let vendidas: BTreeSet<i128> = vendas
        .clone()
        .map(|l| l.valor)
        .chain(sem_comprador.iter().copied())
        .filter(|v| (chao..inicial).contains(v))
        .collect();
    let sem_dono = inicial.saturating_sub(chao).saturating_sub(vendidas.len() as i128);
    let quantas = sem_dono.saturating_sub(partidas.len() as i128).max(1);
    let mut partidas = partidas.into_iter();
    let mut acima = inicial;
    for abaixo in vendidas.into_iter().rev().chain([chao - 1]) {
        for restaria in (abaixo + 1..acima).rev() {
            let testemunha = testemunhas.de(restaria)?;
            if partidas.next().is_some_and(|partida| partida <= testemunha.fim) {
                continue;
            }
            let regra = match testemunha.origem {
                Origem::Recusa => Regra::RecusaIndevida { restaria, quantas },
                _ => Regra::UnidadeSumiu { restaria, quantas },
            };
            let anterior = vendas.clone().find(|l| l.valor == acima);
            let provas = [Some(testemunha), anterior].into_iter().flatten().copied().collect();
            return Some(Violacao { regra, quando: testemunha.fim, provas });
        }
        acima = abaixo;
    }
    None
}

/// Para cada valor, a primeira leitura a terminar vendo isso ou menos.
struct Testemunhas<'a>(Vec<(i128, &'a Leitura)>);

impl<'a> Testemunhas<'a> {
    fn reunir(leituras: &'a [Leitura]) -> Self {
        let mut por_valor: Vec<&Leitura> = leituras.iter().collect();
        por_valor.sort_unstable_by_key(|l| (l.valor, l.fim));
        let mut primeira: Option<&Leitura> = None;
        let acumular = |leitura: &'a Leitura| {
            let ate_aqui = primeira.filter(|p| p.fim <= leitura.fim).unwrap_or(leitura);
            primeira = Some(ate_aqui);
            (leitura.valor, ate_aqui)
        };
        Testemunhas(por_valor.into_iter().map(acumular).collect())
    }

    fn de(&self, valor: i128) -> Option<&'a Leitura> {
        let quantas = self.0.partition_point(|(outro, _)| *outro <= valor);
        Some(self.0.get(quantas.checked_sub(1)?)?.1)
    }
}
