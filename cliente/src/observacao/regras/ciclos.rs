//! Quantos usuários, quantos ciclos, e em que ordem pedem.

use std::ops::RangeInclusive;
use std::time::Duration;

use protocolo::terminal::contar;

use super::{Conclusao, Escala, Estado, SILENCIO, concorda, ocupada, presa};
use crate::observacao::visto::{Conexao, Modo, Pedido, Resposta, Visto};

/// Quantos ciclos o enunciado pede.
const OS_DO_ENUNCIADO: RangeInclusive<usize> = 10..=20;

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
        0 if compras == 1 => (Estado::Cumprido, "CONSULTAR veio antes do único COMPRAR".into()),
        0 => (Estado::Cumprido, format!("CONSULTAR veio antes de cada um dos {compras} COMPRAR")),
        _ if usuarios.supostos && consultas => (
            Estado::NaoSeViu,
            "as conexões são curtas demais para saber que consulta veio antes de que compra".into(),
        ),
        _ => (
            Estado::NaoCumprido,
            format!(
                "{sem_consulta} de {compras} COMPRAR {} sem CONSULTAR antes",
                concorda(sem_consulta, "veio", "vieram")
            ),
        ),
    }
}

/// Quantos ciclos um usuário fez, contados de dois modos. O enunciado manda repetir todos os passos, mas quem nem sempre
/// decide comprar também os repete; e quem consulta mais de uma vez por ciclo só se conta pelas compras.
struct Ciclos {
    consultas: usize,
    compras: usize,
}

impl Ciclos {
    fn de(conexoes: &[&Conexao]) -> Self {
        let compras = conexoes.iter().map(|conexao| conexao.compras()).sum();
        let pedidos: usize = conexoes.iter().map(|conexao| conexao.pedidos.len()).sum();
        Ciclos { consultas: pedidos - compras, compras }
    }

    /// Os que se abrem com um CONSULTAR; os de quem não consulta, com a compra. Nunca são menos que as compras.
    fn abertos(&self) -> usize {
        self.consultas.max(self.compras)
    }

    /// De um modo ou do outro, são de 10 a 20.
    fn bastam(&self) -> bool {
        [self.abertos(), self.compras].iter().any(|quantos| OS_DO_ENUNCIADO.contains(quantos))
    }

    /// De qualquer modo que se contem, são de menos, ou são de mais.
    fn nao_bastam(&self) -> bool {
        self.abertos() < *OS_DO_ENUNCIADO.start() || self.compras > *OS_DO_ENUNCIADO.end()
    }
}

/// Os ciclos de quem foi até o fim que quis, e quantos usuários pararam por outro motivo.
fn ciclos(visto: &Visto) -> (Vec<Ciclos>, usize) {
    let (mut inteiros, mut parados) = (Vec::new(), 0);
    for dele in visto.usuarios().conexoes {
        let conexoes: Vec<&Conexao> = dele.iter().map(|indice| &visto.conexoes[*indice]).collect();
        let fez = Ciclos::de(&conexoes);
        let Some(ultima) = conexoes.last() else { continue };
        let sabe_que_acabou =
            |p: &Pedido| matches!(p.resposta, Resposta::Esgotado | Resposta::Estoque(0));
        let ouviu_o_fim =
            ultima.aviso.is_some() || ultima.pedidos.last().is_some_and(sabe_que_acabou);
        // De quem foi encerrado, ou pode ter caído, não se sabe quantos ainda faria; mas vinte já são todos.
        let cortado = fez.compras <= *OS_DO_ENUNCIADO.end()
            && (ultima.saiu.is_none() || visto.excecao.is_some());
        // Quem parou quando a máquina fez esperar pode ter desistido de uma resposta por isso.
        let desistiu = ultima
            .pedidos
            .last()
            .zip(ultima.saiu)
            .is_some_and(|(pedido, saiu)| presa(visto, pedido.quando, saiu));
        let poucos = fez.abertos() < *OS_DO_ENUNCIADO.start();
        if cortado || poucos && (ouviu_o_fim || desistiu) {
            parados += 1;
        } else {
            inteiros.push(fez);
        }
    }
    (inteiros, parados)
}

/// Quantos ciclos fizeram; se nem todo CONSULTAR teve um COMPRAR, quantos de cada.
fn faixas(todos: &[Ciclos]) -> String {
    let faixa = |de_um: fn(&Ciclos) -> usize, um, muitos| {
        let menor = todos.iter().map(de_um).min().unwrap_or(0);
        match todos.iter().map(de_um).max().unwrap_or(0) {
            maior if maior == menor => contar(maior, um, muitos),
            maior => format!("de {menor} a {maior} {muitos}"),
        }
    };
    if todos.iter().all(|fez| fez.abertos() == fez.compras) {
        return faixa(|fez| fez.compras, "ciclo", "ciclos");
    }
    let consultas = faixa(|fez| fez.consultas, "CONSULTAR", "CONSULTAR");
    let compras = faixa(|fez| fez.compras, "COMPRAR", "COMPRAR");
    format!("{consultas} e {compras} cada um")
}

pub(super) fn quantos(visto: &Visto) -> Conclusao {
    let (inteiros, parados) = ciclos(visto);
    if inteiros.is_empty() {
        return (Estado::NaoSeViu, "nenhum usuário foi até o fim dos seus ciclos: pararam com o fim do estoque, com uma exceção ou com o tempo máximo".into());
    }
    let usuarios = contar(inteiros.len(), "usuário", "usuários");
    let mut viu = format!("{usuarios}, {}", faixas(&inteiros));
    if parados > 0 {
        viu += &format!("; {} antes, e não contam", contar(parados, "parou", "pararam"));
    }
    if inteiros.iter().all(Ciclos::bastam) {
        return (Estado::Cumprido, viu);
    }
    let na_media = |de_um: fn(&Ciclos) -> usize| {
        let soma: usize = inteiros.iter().map(de_um).sum();
        (10.0..=20.0).contains(&(soma as f64 / inteiros.len() as f64))
    };
    if visto.usuarios().supostos && (na_media(Ciclos::abertos) || na_media(|fez| fez.compras)) {
        return (Estado::NaoSeViu, format!("{viu}, mas de quem é cada conexão só se supõe"));
    }
    match inteiros.iter().any(Ciclos::nao_bastam) {
        true => (Estado::NaoCumprido, viu),
        false => (Estado::NaoSeViu, format!("{viu}: daqui não se sabe quais fazem um ciclo")),
    }
}

pub(super) fn variam(visto: &Visto) -> Conclusao {
    let (inteiros, _) = ciclos(visto);
    let iguais = |de_um: fn(&Ciclos) -> usize| {
        inteiros.windows(2).all(|par| de_um(&par[0]) == de_um(&par[1]))
    };
    let (mesmos, mesmas_compras) = (iguais(Ciclos::abertos), iguais(|fez| fez.compras));
    if inteiros.len() >= 2 && !mesmos && !mesmas_compras {
        return (Estado::Cumprido, "os usuários não fizeram todos o mesmo número de ciclos".into());
    }
    let usuarios = inteiros.len();
    if usuarios < USUARIOS_PARA_COMPARAR || visto.usuarios().supostos {
        let quantos = contar(usuarios, "usuário foi", "usuários foram");
        return (
            Estado::NaoSeViu,
            format!("{quantos} até o fim: é pouco para dizer que o número é fixo"),
        );
    }
    // Só o mesmo número de compras pode ser um limite delas, e não dos ciclos.
    let estado = if mesmos { Estado::NaoCumprido } else { Estado::NaoSeViu };
    (estado, format!("os {usuarios} usuários fizeram {}", faixas(&inteiros)))
}

pub(super) fn termina(visto: &Visto, escala: Escala) -> Conclusao {
    if let Some(quando) = visto.terminou {
        return (Estado::Cumprido, format!("terminou em {:.0} s", quando.as_secs_f64()));
    }
    let abertas: Vec<&Conexao> = visto.conexoes.iter().filter(|c| c.saiu.is_none()).collect();
    let ultima = visto.conexoes.iter().filter_map(|conexao| conexao.saiu).max();
    let ultima = ultima.unwrap_or(visto.duracao);
    let sobrou = visto.duracao.saturating_sub(ultima + visto.perdido(ultima, visto.duracao));
    let sem_fim = visto.conexoes.iter().map(Conexao::compras).max().unwrap_or(0) > 20;
    let viu = format!(
        "não terminou em {:.0} s; {} de {} {}",
        visto.duracao.as_secs_f64(),
        abertas.len(),
        contar(visto.conexoes.len(), "conexão", "conexões"),
        concorda(abertas.len(), "continuava aberta", "continuavam abertas"),
    );
    if sem_fim {
        return (Estado::NaoCumprido, format!("{viu}, e houve quem passasse de 20 ciclos"));
    }
    if abertas.is_empty() && sobrou > escala.segundos(PARA_SAIR) {
        return (Estado::NaoCumprido, format!("{viu}: os usuários acabaram e o programa ficou"));
    }
    if let Some(esperavam) = o_que_esperavam(visto, &abertas, escala) {
        return (Estado::NaoSeViu, format!("{viu}, {esperavam}"));
    }
    let ocupada = ocupada(visto, Duration::ZERO, visto.duracao);
    (Estado::NaoSeViu, format!("{viu}, e o tempo que se lhe deu acabou antes{ocupada}"))
}

/// Se todas as que continuavam abertas já se tinham calado, desde quando e em quê: mais tempo não mudaria isso.
fn o_que_esperavam(visto: &Visto, abertas: &[&Conexao], escala: Escala) -> Option<String> {
    let calada_ha = |conexao: &&Conexao| {
        let ultimo =
            conexao.pedidos.last().map(|pedido| pedido.respondido.unwrap_or(pedido.quando));
        let desde = ultimo.max(conexao.aviso).unwrap_or(conexao.chegou);
        visto.duracao.saturating_sub(desde + visto.perdido(desde, visto.duracao))
    };
    let menos = abertas.iter().map(calada_ha).min()?;
    if menos <= escala.segundos(SILENCIO) {
        return None;
    }
    let onde: Vec<&str> = abertas.iter().map(|conexao| onde_parou(conexao)).collect();
    let mut distintos = onde.clone();
    distintos.sort_unstable();
    distintos.dedup();
    let tantas = |qual: &&str| onde.iter().filter(|outro| *outro == qual).count();
    let onde_pararam = match distintos[..] {
        [um] => format!(", {um}"),
        _ => {
            let partes = distintos.iter().map(|qual| format!("{} {qual}", tantas(qual)));
            format!(": {}", partes.collect::<Vec<_>>().join("; "))
        }
    };
    let caladas = concorda(abertas.len(), "calada", "caladas");
    Some(format!("{caladas} há pelo menos {:.0} s{onde_pararam}", menos.as_secs_f64()))
}

/// O que foi a última coisa que aconteceu a uma conexão que se calou.
fn onde_parou(conexao: &Conexao) -> &'static str {
    match (conexao.modo, &conexao.pedidos[..]) {
        (_, []) => "sem ter pedido nada",
        (Modo::SemFimDeLinha, [_]) => {
            "depois da primeira resposta, que o observador mandou sem fim de linha"
        }
        (_, [.., ultimo]) if ultimo.resposta == Resposta::Vendida(0) => {
            "depois da resposta colada ao AVISO"
        }
        (_, [.., ultimo]) if ultimo.compra => "depois da resposta a COMPRAR",
        _ => "depois da resposta a CONSULTAR",
    }
}
