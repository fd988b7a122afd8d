//! As histórias, como leituras do contador: cada resposta o viu em algum instante entre o pedido e a chegada dela.

use std::collections::BTreeSet;
use std::time::Duration;

use super::violacao::{Leitura, Origem};
use crate::conversa::desfecho::Desfecho;
use crate::historia::vivido::{Historia, Operacao, Qual};

pub(super) fn reunir_leituras(historias: &[Historia]) -> Vec<Leitura> {
    let quantas = historias.iter().map(|historia| historia.operacoes.len()).sum();
    let mut leituras = Vec::with_capacity(quantas);
    for historia in historias {
        let usuario = historia.usuario;
        // Quase ninguém tem: depois de um, uma resposta pode ter atendido um pedido anterior.
        let dessincronizadas: Vec<(u32, Duration)> = historia
            .conexoes
            .iter()
            .filter_map(|p| Some((p.numero, p.dessincronizada_desde?)))
            .collect();
        let dessincronizada_desde = |conexao: u32| {
            let achado = dessincronizadas.iter().find(|(numero, _)| *numero == conexao);
            achado.map_or(Duration::MAX, |(_, desde)| *desde)
        };
        let mut ditas = BTreeSet::new();
        for operacao in &historia.operacoes {
            let Some((fim, desfecho)) = &operacao.resposta else { continue };
            let (origem, valor) = match desfecho {
                Desfecho::Leu(valor) => (Origem::Consulta, *valor),
                Desfecho::Comprou(restante) => (Origem::Venda, *restante),
                Desfecho::Recusado => (Origem::Recusa, 0),
                // Sem um número que se leia com certeza, não diz onde o contador estava.
                Desfecho::LeuSemNumero | Desfecho::ComprouSemNumero => continue,
                Desfecho::ForaDeAlcance | Desfecho::Estranho(_) => continue,
            };
            // Depois de dessincronizada, o mesmo número na mesma conexão pode ser a mesma resposta, repetida.
            let repetida = origem == Origem::Venda
                && dessincronizada_desde(operacao.conexao) < Duration::MAX
                && !ditas.insert((operacao.conexao, valor));
            if repetida {
                continue;
            }
            let inicio = operacao.enviada.min(dessincronizada_desde(operacao.conexao));
            let servidor = operacao.servidor;
            leituras.push(Leitura { usuario, servidor, inicio, fim: *fim, origem, valor });
        }
    }
    leituras
}

pub(super) fn leituras_dos_avisos(historias: &[Historia]) -> impl Iterator<Item = Leitura> {
    historias.iter().flat_map(|historia| {
        historia.conexoes.iter().flat_map(|conexao| {
            let leitura = |aviso| leitura_do_aviso(historia.usuario, conexao.servidor, aviso);
            conexao.avisos.iter().copied().map(leitura)
        })
    })
}

/// Ninguém pediu o AVISO: só se sabe que o estoque era zero quando ele chegou, ou antes.
pub(super) fn leitura_do_aviso(usuario: usize, servidor: Qual, aviso: Duration) -> Leitura {
    let (inicio, fim) = (Duration::ZERO, aviso);
    Leitura { usuario, servidor, inicio, fim, origem: Origem::Aviso, valor: 0 }
}

/// Quando partiram as compras que podem ter levado uma unidade sem que se saiba qual, em ordem: as que podem
/// ter valido ou não, e as vendas sem número.
pub(super) fn sem_lugar(historias: &[Historia]) -> Vec<Duration> {
    let operacoes = historias.iter().flat_map(|historia| &historia.operacoes);
    let sem_numero = |o: &Operacao| matches!(o.resposta, Some((_, Desfecho::ComprouSemNumero)));
    let mut partidas: Vec<Duration> = operacoes
        .filter(|o| o.compra && (o.em_duvida() || sem_numero(o)))
        .map(|o| o.enviada)
        .collect();
    partidas.sort_unstable();
    partidas
}

pub(super) fn ultima_venda(leituras: &[Leitura]) -> Option<&Leitura> {
    let ultimas = leituras.iter().filter(|l| l.origem == Origem::Venda && l.valor == 0);
    ultimas.min_by_key(|l| l.fim)
}
