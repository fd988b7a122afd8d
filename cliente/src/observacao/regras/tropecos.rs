//! O que o cliente faz com o AVISO, com o fim do estoque e com um servidor que não facilita.

use std::time::Duration;

use super::{Conclusao, Estado};
use crate::observacao::visto::{Conexao, Modo, Resposta, Visto};
use crate::tempo::formatar;

/// "Quase instantaneamente" (§7.3), com folga para uma máquina ocupada e para quem lê de segundo em segundo.
const LOGO: Duration = Duration::from_secs(2);

/// O que um programa sem o que fazer não escreve no console.
const CONSOLE_SEM_PARAR: usize = 200_000;

pub(super) fn aviso(visto: &Visto) -> Conclusao {
    let Some(esgotou) = visto.esgotou else {
        return (Estado::NaoSeViu, "o cliente não comprou o bastante para o estoque acabar".into());
    };
    let ouvintes = visto.conexoes.iter().filter(|conexao| escutava(conexao, esgotou)).count();
    if ouvintes == 0 {
        return (Estado::NaoSeViu, "ninguém escutava quando o estoque acabou".into());
    }
    let antes = visto.avisos_no_console.iter().take_while(|c| c.quando < esgotou).last();
    let (antes, parecidos) = antes.map_or((0, 0), |c| (c.exatos, c.parecidos));
    let depois = visto.avisos_no_console.iter().filter(|c| c.quando >= esgotou && c.exatos > antes);
    let quantos = depois.clone().map(|c| c.exatos - antes).max().unwrap_or(0);
    let a_tempo =
        depois.clone().filter(|c| c.quando <= esgotou + LOGO).map(|c| c.exatos - antes).max();
    let Some(primeiro) = depois.clone().next() else {
        let falou = visto.avisos_no_console.last().is_some_and(|c| c.parecidos > parecidos);
        return match falou {
            true => (
                Estado::NaoSeViu,
                "o console falou em aviso, mas não com o texto que o servidor mandou".into(),
            ),
            false => (
                Estado::NaoCumprido,
                format!("foi mandado a {ouvintes} que escutavam, e não apareceu no console"),
            ),
        };
    };
    let demora = formatar(primeiro.quando.saturating_sub(esgotou));
    match a_tempo {
        None => (
            Estado::NaoCumprido,
            format!("só apareceu {demora} depois, e havia {ouvintes} escutando"),
        ),
        Some(logo) if logo >= ouvintes => (
            Estado::Cumprido,
            format!("apareceu {logo} vezes em {}, para {ouvintes} que escutavam", formatar(LOGO)),
        ),
        Some(logo) => (
            Estado::NaoSeViu,
            format!(
                "de {ouvintes} que escutavam, apareceu {logo} vezes logo e {quantos} ao todo; um console pode juntar linhas"
            ),
        ),
    }
}

/// Estava na escuta depois de uma compra quando o estoque acabou, e ficou nela tempo bastante para mostrá-lo?
fn escutava(conexao: &Conexao, esgotou: Duration) -> bool {
    let ultimo = conexao.pedidos.iter().rfind(|pedido| pedido.quando <= esgotou);
    let comprou = ultimo.is_some_and(|ultimo| ultimo.compra && ultimo.respondido.is_some());
    // Quem já tinha saído não ouviu.
    comprou && conexao.aviso.is_some() && conexao.saiu.is_none_or(|fim| fim > esgotou)
}

/// O que se conclui de conexões que passaram por um tropeço: quem pediu de novo depois dele continuou.
fn continuaram(visto: &Visto, o_que: &str, casos: &[bool]) -> Conclusao {
    let seguiram = casos.iter().filter(|seguiu| **seguiu).count();
    match (casos.len(), seguiram) {
        (0, _) => (Estado::NaoSeViu, format!("não houve {o_que}")),
        (todas, 0) => match &visto.excecao {
            Some(excecao) => (
                Estado::NaoCumprido,
                format!("depois de {o_que}, ninguém pediu mais nada, e o console mostra {excecao}"),
            ),
            None if visto.terminou.is_none() => (
                Estado::NaoCumprido,
                format!(
                    "depois de {o_que}, em {todas} conexões, ninguém pediu mais nada, e o programa não terminou"
                ),
            ),
            None => (
                Estado::NaoSeViu,
                format!(
                    "depois de {o_que} ninguém pediu mais nada, mas o programa terminou sem erro à vista"
                ),
            ),
        },
        (todas, seguiram) => (
            Estado::Cumprido,
            format!("houve {o_que} em {todas} conexões, e {seguiram} continuaram a pedir"),
        ),
    }
}

/// A cada pedido que serve, se houve outro depois na mesma conexão.
fn seguidos(visto: &Visto, serve: impl Fn(&Conexao, usize) -> bool) -> Vec<bool> {
    let caso = |conexao: &Conexao| {
        let indice = (0..conexao.pedidos.len()).find(|indice| serve(conexao, *indice))?;
        Some(indice + 1 < conexao.pedidos.len())
    };
    visto.conexoes.iter().filter_map(caso).collect()
}

pub(super) fn colado(visto: &Visto) -> Conclusao {
    let casos = seguidos(visto, |c, i| c.pedidos[i].resposta == Resposta::Vendida(0));
    continuaram(visto, "uma resposta colada ao AVISO", &casos)
}

pub(super) fn esgotado(visto: &Visto) -> Conclusao {
    let casos =
        seguidos(visto, |c, i| c.pedidos[i].compra && c.pedidos[i].resposta == Resposta::Esgotado);
    continuaram(visto, "uma compra recusada", &casos)
}

pub(super) fn sem_fim_de_linha(visto: &Visto) -> Conclusao {
    let casos = seguidos(visto, |c, _| c.modo == Modo::SemFimDeLinha);
    continuaram(visto, "respostas sem fim de linha", &casos)
}

pub(super) fn lento(visto: &Visto) -> Conclusao {
    let casos = seguidos(visto, |c, i| c.pedidos[i].atrasado);
    continuaram(visto, "uma resposta lenta", &casos)
}

pub(super) fn fecha(visto: Option<&Visto>) -> Conclusao {
    let Some(visto) = visto else { return (Estado::NaoSeViu, "esta cena não foi feita".into()) };
    let Some(quando) = visto.fechou_tudo else {
        return (Estado::NaoSeViu, "ninguém comprou nada: não houve quando fechar".into());
    };
    let voltou = visto.conexoes.iter().any(|c| c.chegou > quando && !c.pedidos.is_empty());
    match (&visto.excecao, visto.terminou) {
        (Some(excecao), _) => (Estado::NaoCumprido, format!("o console mostra {excecao}")),
        _ if visto.console_depois_de_fechar > CONSOLE_SEM_PARAR => (
            Estado::NaoCumprido,
            "fechada a conexão, o console não parou de crescer: confira o recv que devolve vazio"
                .into(),
        ),
        _ if voltou => (Estado::Cumprido, "conectou de novo e continuou".into()),
        (None, Some(fim)) => (
            Estado::Cumprido,
            format!("terminou sem exceção {} depois", formatar(fim.saturating_sub(quando))),
        ),
        (None, None) => (
            Estado::NaoSeViu,
            "fechadas as conexões, não voltou nem terminou no tempo que se esperou".into(),
        ),
    }
}
