//! O que o cliente faz com o AVISO, com o fim do estoque e com um servidor que não facilita.

use std::time::Duration;

use protocolo::terminal::contar;

use super::{Conclusao, Escala, Estado, GRAVE, SILENCIO, concorda, ocupada, presa};
use crate::observacao::visto::{Conexao, Modo, Pedido, Resposta, Visto};
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
    if visto.console_cheio {
        return (Estado::NaoSeViu, "o console disse mais do que se guarda".into());
    }
    let antes = visto.avisos_no_console.iter().take_while(|c| c.quando < esgotou).last();
    let (antes, parecidos) = antes.map_or((0, 0), |c| (c.exatos, c.parecidos));
    let depois = visto.avisos_no_console.iter().filter(|c| c.quando >= esgotou && c.exatos > antes);
    let quantos = depois.clone().map(|c| c.exatos - antes).max().unwrap_or(0);
    let a_tempo =
        depois.clone().filter(|c| c.desde <= esgotou + LOGO).map(|c| c.exatos - antes).max();
    let Some(primeiro) = depois.clone().next() else {
        let falou = visto.avisos_no_console.last().is_some_and(|c| c.parecidos > parecidos);
        return match falou {
            true => (
                Estado::NaoSeViu,
                "o console falou em aviso, mas não com o texto que o servidor mandou".into(),
            ),
            false => nao_apareceu(visto, esgotou, ouvintes),
        };
    };
    let escutavam = concorda(ouvintes, "escutava", "escutavam");
    // O menos que pode ter demorado: desde a última vez que se olhou e ainda não estava.
    let demora = formatar(primeiro.desde.saturating_sub(esgotou));
    match a_tempo {
        None if houve_tempo(visto, esgotou, primeiro.desde) => {
            (Estado::NaoCumprido, format!("só apareceu {demora} depois, e {escutavam} {ouvintes}"))
        }
        None => {
            let ocupada = ocupada(visto, esgotou, primeiro.desde);
            (Estado::NaoSeViu, format!("só apareceu {demora} depois{ocupada}"))
        }
        Some(logo) if logo >= ouvintes => (
            Estado::Cumprido,
            format!(
                "apareceu {} em {}; bastava uma de cada usuário que escutava ({})",
                contar(logo, "vez", "vezes"),
                formatar(LOGO),
                contar(ouvintes, "usuário", "usuários")
            ),
        ),
        Some(logo) => (
            Estado::NaoSeViu,
            format!(
                "de {ouvintes} que {escutavam}, apareceu {} logo e {quantos} ao todo; um console pode juntar linhas",
                contar(logo, "vez", "vezes")
            ),
        ),
    }
}

fn nao_apareceu(visto: &Visto, esgotou: Duration, ouvintes: usize) -> Conclusao {
    let escutavam = concorda(ouvintes, "escutava", "escutavam");
    let viu = format!("foi mandado a {ouvintes} que {escutavam}, e não apareceu no console");
    // O console de quem terminou já disse tudo.
    if visto.terminou.is_some() || houve_tempo(visto, esgotou, visto.duracao) {
        return (Estado::NaoCumprido, viu);
    }
    let ocupada = ocupada(visto, esgotou, visto.duracao);
    (Estado::NaoSeViu, format!("{viu}, mas não houve tempo para isso{ocupada}"))
}

/// Descontado o que esta máquina fez esperar, de um instante ao outro houve tempo de sobra para mostrar o AVISO?
fn houve_tempo(visto: &Visto, esgotou: Duration, ate: Duration) -> bool {
    ate.saturating_sub(esgotou) > LOGO + visto.perdido(esgotou, ate)
}

/// Estava na escuta depois de uma compra quando o estoque acabou, e ficou nela tempo bastante para mostrá-lo?
fn escutava(conexao: &Conexao, esgotou: Duration) -> bool {
    let ultimo = conexao.pedidos.iter().rfind(|pedido| pedido.quando <= esgotou);
    let comprou = ultimo.is_some_and(|ultimo| ultimo.compra && ultimo.respondido.is_some());
    // Quem já tinha saído não ouviu.
    comprou && conexao.aviso.is_some() && conexao.saiu.is_none_or(|fim| fim > esgotou)
}

/// O que um usuário fez depois de um tropeço.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depois {
    /// Pediu de novo.
    Pediu,
    /// Saiu logo, sem pedir mais nada.
    Saiu,
    /// Ficou calado por mais tempo que qualquer escuta, sem sair.
    Calou,
    /// Não pediu mais, mas escutou, ou não houve tempo de saber, ou a máquina pode tê-lo feito esperar demais.
    NaoSeSabe,
}

/// Cada usuário que passou pelo primeiro pedido que serve, e o que fez depois.
fn depois(visto: &Visto, escala: Escala, serve: impl Fn(&Conexao, &Pedido) -> bool) -> Vec<Depois> {
    let caso = |dele: &Vec<usize>| {
        let conexoes = dele.iter().map(|indice| &visto.conexoes[*indice]);
        let mut pedidos = conexoes.flat_map(|c| c.pedidos.iter().map(move |p| (c, p)));
        let (conexao, pedido) = pedidos.find(|(conexao, pedido)| serve(conexao, pedido))?;
        if pedidos.next().is_some() {
            return Some(Depois::Pediu);
        }
        let desde = pedido.respondido.unwrap_or(pedido.quando);
        let fim = conexao.saiu.unwrap_or(visto.duracao);
        let passou = fim.saturating_sub(desde + visto.perdido(desde, fim));
        Some(match conexao.saiu {
            Some(saiu) if presa(visto, pedido.quando, saiu) => Depois::NaoSeSabe,
            Some(_) if passou < escala.segundos(2) => Depois::Saiu,
            None if visto.terminou.is_none() && passou > escala.segundos(SILENCIO) => Depois::Calou,
            _ => Depois::NaoSeSabe,
        })
    };
    visto.usuarios().conexoes.iter().filter_map(caso).collect()
}

/// O que se conclui: basta um que continuou. Só se acusa quem, sem exceção, caiu ou se calou.
fn continuaram(visto: &Visto, o_que: &str, casos: &[Depois]) -> Conclusao {
    let usuarios = contar(casos.len(), "usuário", "usuários");
    let tantos = |qual| casos.iter().filter(|caso| **caso == qual).count();
    let (pediram, sairam, calaram) =
        (tantos(Depois::Pediu), tantos(Depois::Saiu), tantos(Depois::Calou));
    match &visto.excecao {
        _ if casos.is_empty() => (Estado::NaoSeViu, format!("não houve {o_que}")),
        _ if pediram > 0 => {
            let quantos = contar(pediram, "continuou", "continuaram");
            (Estado::Cumprido, format!("houve {o_que} para {usuarios}, e {quantos} a pedir"))
        }
        _ if calaram == casos.len() => (
            Estado::NaoCumprido,
            format!("depois de {o_que}, para {usuarios}, a conexão ficou aberta e calada"),
        ),
        Some(excecao) if sairam == casos.len() => (
            Estado::NaoCumprido,
            format!(
                "depois de {o_que}, para {usuarios}, a conexão caiu, e o console mostra {excecao}"
            ),
        ),
        _ => (
            Estado::NaoSeViu,
            format!(
                "depois de {o_que}, para {usuarios}, nada mais se pediu, e não se viu por quê{}",
                ocupada(visto, Duration::ZERO, visto.duracao)
            ),
        ),
    }
}

pub(super) fn colado(visto: &Visto, escala: Escala) -> Conclusao {
    let casos = depois(visto, escala, |_, pedido| pedido.resposta == Resposta::Vendida(0));
    continuaram(visto, "uma resposta colada ao AVISO", &casos)
}

pub(super) fn esgotado(visto: &Visto, escala: Escala) -> Conclusao {
    let recusado =
        |_: &Conexao, pedido: &Pedido| pedido.compra && pedido.resposta == Resposta::Esgotado;
    continuaram(visto, "uma compra recusada", &depois(visto, escala, recusado))
}

pub(super) fn sem_fim_de_linha(visto: &Visto, escala: Escala) -> Conclusao {
    let casos = depois(visto, escala, |conexao, _| conexao.modo == Modo::SemFimDeLinha);
    continuaram(visto, "uma resposta sem fim de linha", &casos)
}

pub(super) fn lento(visto: &Visto, escala: Escala) -> Conclusao {
    let casos = depois(visto, escala, |_, pedido| pedido.atrasado);
    continuaram(visto, "uma resposta lenta", &casos)
}

pub(super) fn fecha(visto: Option<&Visto>) -> Conclusao {
    let Some(visto) = visto else { return (Estado::NaoSeViu, "esta cena não foi feita".into()) };
    let Some(quando) = visto.fechou_tudo else {
        return (Estado::NaoSeViu, "ninguém comprou nada: não houve quando fechar".into());
    };
    let voltou = visto.conexoes.iter().any(|c| c.chegou > quando && !c.pedidos.is_empty());
    let ocupada = ocupada(visto, Duration::ZERO, quando);
    match (&visto.excecao, visto.terminou) {
        // Pode ser a de quem não esperou pela resposta que a máquina atrasou.
        (Some(excecao), _) if visto.atraso(Duration::ZERO, quando) >= GRAVE => {
            (Estado::NaoSeViu, format!("o console mostra {excecao}{ocupada}"))
        }
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
