//! O que vale dizer de uma simulação e não é contradição.

use std::collections::BTreeSet;

use protocolo::terminal::contar;

use super::violacao::{Leitura, Origem};
use crate::historia::conjunto::Simulacao;
use crate::historia::vivido::{Falha, Historia};

pub(super) fn observar(historias: &[Historia], leituras: &[Leitura], sozinha: bool) -> Vec<String> {
    let mut observacoes = Vec::new();
    observacoes.extend(compras_em_duvida(historias));
    let vendas: BTreeSet<i128> =
        leituras.iter().filter(|l| l.origem == Origem::Venda).map(|l| l.valor).collect();
    let maior = leituras.iter().map(Leitura::antes).max().unwrap_or(0);
    let menor = leituras.iter().map(|l| l.valor).min().unwrap_or(0);
    let por_fora =
        usize::try_from(maior.saturating_sub(menor)).unwrap_or(0).saturating_sub(vendas.len());
    // Se ela compra sozinha, isso já é contradição, ou está nas compras sem resposta.
    if por_fora > 0 && !sozinha {
        let unidades = contar(por_fora, "unidade", "unidades");
        let recusou = leituras.iter().any(|l| l.origem == Origem::Recusa);
        let ou = if recusou { ", ou o servidor recusou com estoque" } else { "" };
        observacoes.push(format!(
            "{unidades} sem comprador conhecido: outros as compraram, as respostas se perderam{ou} \
             (se só esta multidão compra, diga --estoque, e ela poderá afirmar)"
        ));
    }
    if vendas.is_empty() && maior == 0 && !leituras.is_empty() {
        observacoes.push("o estoque já estava esgotado quando a multidão chegou".into());
    }
    observacoes
}

/// As respostas que foram a quem não as pediu, ou que vieram mais de uma vez. Não contradizem o estoque, e
/// por isso só se observam. Que uma chegou sem pedido não basta: pode ser uma saudação que atrasou as
/// outras; mas se ao mesmo tempo quem pediu ficou sem, foram à conexão errada.
pub fn extravios(simulacao: &Simulacao) -> Option<String> {
    let Simulacao { historias, medidas, .. } = simulacao;
    let somar = |conta: fn(&Historia) -> u64| historias.iter().map(conta).sum::<u64>() as usize;
    let (repetidas, nao_pedidas) = (somar(|h| h.repetidas), somar(|h| h.nao_pedidas));
    let de_outro = repetidas + nao_pedidas + medidas.trocadas as usize;
    let falhas = historias.iter().flat_map(|historia| &historia.falhas);
    let sem_resposta = falhas.filter(|(_, falha)| *falha == Falha::SemResposta).count();
    if de_outro > 0 && sem_resposta > 0 {
        return Some(format!(
            "as respostas se extraviam: {} a quem não as pediu, e {} sem resposta",
            contar(de_outro, "chegou", "chegaram"),
            contar(sem_resposta, "pedido ficou", "pedidos ficaram")
        ));
    }
    (repetidas > 0).then(|| {
        let respostas = contar(repetidas, "resposta veio", "respostas vieram");
        format!("{respostas} de novo, sem outro pedido: o servidor responde duas vezes ao mesmo")
    })
}

fn compras_em_duvida(historias: &[Historia]) -> Option<String> {
    let compras = || historias.iter().flat_map(|h| &h.operacoes).filter(|o| o.compra);
    let caladas = compras().filter(|compra| compra.resposta.is_none()).count();
    let estranhas = compras().filter(|compra| compra.em_duvida()).count() - caladas;
    let compras = match (caladas, estranhas) {
        (0, 0) => return None,
        (_, 0) => contar(caladas, "compra sem resposta", "compras sem resposta"),
        (0, _) => contar(estranhas, "compra respondida", "compras respondidas") + " de outro modo",
        _ => format!(
            "{} e {estranhas} de outro modo",
            contar(caladas, "compra sem resposta", "compras sem resposta")
        ),
    };
    Some(format!("{compras}: cada uma pode ter sido feita ou não"))
}
