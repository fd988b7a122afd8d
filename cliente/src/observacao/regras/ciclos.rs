//! Quantos usuários, quantos ciclos, e em que ordem pedem.

use std::time::Duration;

use protocolo::terminal::contar;

use super::{Conclusao, Escala, Estado, ocupada, presa};
use crate::observacao::visto::{Conexao, Pedido, Resposta, Visto};

/// Com quantos usuários o mesmo número de ciclos já não pode ser sorte: de 10 a 20, uma vez em 14 mil.
const USUARIOS_PARA_COMPARAR: usize = 5;

/// Quanto um programa tem para terminar, em segundos, depois que a última conexão dele se fechou.
const PARA_SAIR: u64 = 5;

pub(super) fn simultaneos(visto: &Visto) -> Conclusao {
    let quantos = visto.simultaneas();
    let conexoes = visto.conexoes.len();
    match quantos {
        _ if conexoes == 0 => (Estado::NaoSeViu, "nenhuma conexão chegou".into()),
        _ if conexoes == 1 => (Estado::NaoCumprido, "uma conexão só, em toda a execução".into()),
        0 => (
            Estado::NaoSeViu,
            format!("{conexoes} conexões, breves demais para se ver se houve duas ao mesmo tempo"),
        ),
        1 => (Estado::NaoCumprido, format!("{conexoes} conexões, nunca duas ao mesmo tempo")),
        _ => (Estado::Cumprido, format!("{quantos} conexões abertas ao mesmo tempo")),
    }
}

pub(super) fn consulta_antes(visto: &Visto) -> Conclusao {
    let usuarios = visto.usuarios();
    let compras: usize = visto.conexoes.iter().map(Conexao::compras).sum();
    if compras == 0 {
        return (Estado::NaoSeViu, "nenhum COMPRAR chegou".into());
    }
    let mut sem_consulta = 0;
    for dele in &usuarios.conexoes {
        let mut consultou = false;
        for pedido in dele.iter().flat_map(|indice| &visto.conexoes[*indice].pedidos) {
            sem_consulta += usize::from(pedido.compra && !consultou);
            consultou = !pedido.compra;
        }
    }
    let consultas = visto.conexoes.iter().any(|c| c.pedidos.iter().any(|p| !p.compra));
    match sem_consulta {
        0 => (Estado::Cumprido, format!("CONSULTAR veio antes de cada um dos {compras} COMPRAR")),
        _ if usuarios.supostos && consultas => (
            Estado::NaoSeViu,
            "as conexões são curtas demais para saber que consulta veio antes de que compra".into(),
        ),
        _ => (
            Estado::NaoCumprido,
            format!("{sem_consulta} de {compras} COMPRAR vieram sem CONSULTAR antes"),
        ),
    }
}

/// Os ciclos de quem foi até o fim que quis, e quantos usuários pararam por outro motivo.
fn ciclos(visto: &Visto) -> (Vec<usize>, usize) {
    let (mut inteiros, mut parados) = (Vec::new(), 0);
    for dele in visto.usuarios().conexoes {
        let conexoes: Vec<&Conexao> = dele.iter().map(|indice| &visto.conexoes[*indice]).collect();
        let compras: usize = conexoes.iter().map(|conexao| conexao.compras()).sum();
        let Some(ultima) = conexoes.last() else { continue };
        let sabe_que_acabou =
            |p: &Pedido| matches!(p.resposta, Resposta::Esgotado | Resposta::Estoque(0));
        let ouviu_o_fim =
            ultima.aviso.is_some() || ultima.pedidos.last().is_some_and(sabe_que_acabou);
        // De quem foi encerrado, ou pode ter caído, não se sabe quantos ainda faria; mas vinte já são todos.
        let cortado = compras <= 20 && (ultima.saiu.is_none() || visto.excecao.is_some());
        // Quem parou quando a máquina fez esperar pode ter desistido de uma resposta por isso.
        let desistiu = ultima
            .pedidos
            .last()
            .zip(ultima.saiu)
            .is_some_and(|(pedido, saiu)| presa(visto, pedido.quando, saiu));
        if cortado || compras < 10 && (ouviu_o_fim || desistiu) {
            parados += 1;
        } else {
            inteiros.push(compras);
        }
    }
    (inteiros, parados)
}

pub(super) fn quantos(visto: &Visto) -> Conclusao {
    let (inteiros, parados) = ciclos(visto);
    let (Some(menor), Some(maior)) = (inteiros.iter().min(), inteiros.iter().max()) else {
        return (Estado::NaoSeViu, "nenhum usuário foi até o fim dos seus ciclos: pararam com o fim do estoque, com uma exceção ou com o tempo máximo".into());
    };
    let usuarios = contar(inteiros.len(), "usuário", "usuários");
    let mut viu = match menor == maior {
        true => format!("{usuarios}, {}", contar(*menor, "ciclo", "ciclos")),
        false => format!("{usuarios}, de {menor} a {maior} ciclos"),
    };
    if parados > 0 {
        viu += &format!("; {} antes, e não contam", contar(parados, "parou", "pararam"));
    }
    if (10..=20).contains(menor) && *maior <= 20 {
        return (Estado::Cumprido, viu);
    }
    let media = inteiros.iter().sum::<usize>() as f64 / inteiros.len() as f64;
    if visto.usuarios().supostos && (10.0..=20.0).contains(&media) {
        return (Estado::NaoSeViu, format!("{viu}, mas de quem é cada conexão só se supõe"));
    }
    (Estado::NaoCumprido, viu)
}

pub(super) fn variam(visto: &Visto) -> Conclusao {
    let (inteiros, _) = ciclos(visto);
    let iguais = inteiros.windows(2).all(|par| par[0] == par[1]);
    if inteiros.len() >= 2 && !iguais {
        return (Estado::Cumprido, "os usuários não fizeram todos o mesmo número de ciclos".into());
    }
    if inteiros.len() < USUARIOS_PARA_COMPARAR || visto.usuarios().supostos {
        let quantos = contar(inteiros.len(), "usuário foi", "usuários foram");
        return (
            Estado::NaoSeViu,
            format!("{quantos} até o fim: é pouco para dizer que o número é fixo"),
        );
    }
    (Estado::NaoCumprido, format!("os {} usuários fizeram {} ciclos", inteiros.len(), inteiros[0]))
}

pub(super) fn termina(visto: &Visto, escala: Escala) -> Conclusao {
    if let Some(quando) = visto.terminou {
        return (Estado::Cumprido, format!("terminou em {:.0} s", quando.as_secs_f64()));
    }
    let pedindo = visto.conexoes.iter().filter(|conexao| conexao.saiu.is_none()).count();
    let ultima = visto.conexoes.iter().filter_map(|conexao| conexao.saiu).max();
    let ultima = ultima.unwrap_or(visto.duracao);
    let sobrou = visto.duracao.saturating_sub(ultima + visto.perdido(ultima, visto.duracao));
    let sem_fim = visto.conexoes.iter().map(Conexao::compras).max().unwrap_or(0) > 20;
    let viu = format!(
        "não terminou em {:.0} s; {pedindo} das {} conexões continuavam abertas",
        visto.duracao.as_secs_f64(),
        visto.conexoes.len()
    );
    if sem_fim {
        return (Estado::NaoCumprido, format!("{viu}, e houve quem passasse de 20 ciclos"));
    }
    if pedindo == 0 && sobrou > escala.segundos(PARA_SAIR) {
        return (Estado::NaoCumprido, format!("{viu}: os usuários acabaram e o programa ficou"));
    }
    let ocupada = ocupada(visto, Duration::ZERO, visto.duracao);
    (Estado::NaoSeViu, format!("{viu}; dê mais --tempo-maximo{ocupada}"))
}
