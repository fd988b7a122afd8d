//! Quanto o cliente espera: a decisão, a escuta, a conexão aberta.

use std::time::Duration;

use protocolo::terminal::contar;

use super::{Conclusao, Escala, Estado, com_o_seguinte, concorda, ocupada};
use crate::observacao::visto::{Resposta, Visto};
use crate::tempo::formatar;

/// Com menos esperas que estas não se diz que são iguais.
const ESPERAS_PARA_COMPARAR: usize = 6;

/// Uma decisão mais curta que isto é o caminho de ida e volta, e não uma espera.
const SEM_ESPERA: Duration = Duration::from_millis(5);

/// As esperas de quem dorme sempre o mesmo ainda diferem disto, pelo sistema.
const IRREGULAR: Duration = Duration::from_millis(20);

/// Quanto os relógios e o sistema podem tirar de uma espera de verdade.
fn com_folga(espera: Duration) -> Duration {
    espera.mul_f64(0.95).saturating_sub(Duration::from_millis(10))
}

/// De quanto a quanto; se os dois se leem iguais, um só.
fn entre(menor: Duration, maior: Duration) -> String {
    match (formatar(menor), formatar(maior)) {
        (menor, maior) if menor == maior => menor,
        (menor, maior) => format!("de {menor} a {maior}"),
    }
}

/// As esperas entre CONSULTAR e COMPRAR, e se cada uma foi só do aluno: outras foram também pela máquina.
fn esperas(visto: &Visto) -> Vec<(Duration, bool)> {
    let mut esperas = Vec::new();
    for conexao in &visto.conexoes {
        for (pedido, seguinte) in com_o_seguinte(conexao) {
            let Some((respondido, compra)) = pedido.respondido.zip(seguinte.filter(|p| p.compra))
            else {
                continue;
            };
            if !pedido.compra && !pedido.atrasado {
                let so_dele = visto.atraso(respondido, compra.quando).is_zero();
                esperas.push((compra.quando.saturating_sub(respondido), so_dele));
            }
        }
    }
    esperas
}

pub(super) fn decisao(visto: &Visto) -> Conclusao {
    let mut esperas = esperas(visto);
    if esperas.len() < ESPERAS_PARA_COMPARAR {
        return (
            Estado::NaoSeViu,
            format!(
                "só {} {} entre CONSULTAR e COMPRAR na mesma conexão",
                concorda(esperas.len(), "se viu", "se viram"),
                contar(esperas.len(), "espera", "esperas")
            ),
        );
    }
    // Poucas, as que a máquina deixou em paz seriam só as mais curtas.
    let so_dele = esperas.iter().filter(|(_, so_dele)| *so_dele).count();
    let bastam = so_dele >= ESPERAS_PARA_COMPARAR && so_dele * 2 >= esperas.len();
    esperas.retain(|(_, so_dele)| *so_dele || !bastam);
    let atraso = match bastam {
        true => Duration::ZERO,
        false => visto.atraso(Duration::ZERO, visto.duracao),
    };
    esperas.sort_unstable();
    let em = |fracao: usize| esperas[(esperas.len() - 1) * fracao / 10].0;
    // As pontas ficam de fora: um atraso do sistema não é uma decisão.
    let (menor, meio, maior) = (em(1), em(5), em(9));
    let viu = format!("entre CONSULTAR e COMPRAR, quase sempre {}", entre(menor, maior));
    if meio < SEM_ESPERA {
        return (Estado::NaoCumprido, format!("{viu}: COMPRAR vem sem esperar"));
    }
    match maior.saturating_sub(menor) {
        variou if variou > IRREGULAR.max(meio.mul_f64(0.1)) + atraso => (Estado::Cumprido, viu),
        variou
            if bastam && meio > IRREGULAR * 5 && variou < meio.mul_f64(0.05).max(IRREGULAR / 2) =>
        {
            (Estado::NaoCumprido, format!("{viu}: a espera é sempre a mesma"))
        }
        _ => {
            let ocupada = ocupada(visto, Duration::ZERO, visto.duracao);
            (Estado::NaoSeViu, format!("{viu}: é pouco para dizer se varia{ocupada}"))
        }
    }
}

/// As escutas: do COMPRAR que chegou ao que veio depois dele na mesma conexão. Contar do pedido, e não da resposta, é
/// a favor do aluno, que pode começar a contar antes de ouvi-la.
fn escutas(visto: &Visto) -> Vec<Duration> {
    let mut escutas = Vec::new();
    for conexao in &visto.conexoes {
        for (pedido, seguinte) in com_o_seguinte(conexao) {
            let vendeu =
                matches!(pedido.resposta, Resposta::Vendida(_)) && pedido.respondido.is_some();
            let fim = seguinte.map(|p| p.quando).or(conexao.saiu);
            let Some(fim) = fim.filter(|_| vendeu && !pedido.atrasado) else { continue };
            // Quem ouviu o AVISO, ou que esgotou, não tem mais o que esperar.
            if conexao.aviso.is_some_and(|aviso| pedido.quando <= aviso && aviso <= fim) {
                continue;
            }
            // O COMPRAR pode ter chegado antes de se anotar.
            escutas.push(fim.saturating_sub(pedido.quando) + visto.atraso_em(pedido.quando));
        }
    }
    escutas.sort_unstable();
    escutas
}

const EM_OUTRA: &str = "há conexões que nada pedem e ficam abertas: a escuta pode ser nelas";

/// Há conexões que nunca pedem e ficam? O cliente pode escutar por elas, e pedir por outras.
fn escuta_em_outra(visto: &Visto, escala: Escala) -> bool {
    visto.conexoes.iter().any(|conexao| {
        let fim = conexao.saiu.unwrap_or(visto.duracao);
        conexao.pedidos.is_empty() && fim.saturating_sub(conexao.chegou) >= escala.segundos(5)
    })
}

pub(super) fn escuta(visto: &Visto, escala: Escala) -> Conclusao {
    let escutas = escutas(visto);
    let [menor, .., maior] = escutas[..] else {
        return (Estado::NaoSeViu, "não se viram compras bastantes".into());
    };
    let (de, ate) = (com_folga(escala.segundos(5)), escala.segundos(12) + Duration::from_secs(2));
    let curtas = escutas.iter().filter(|escuta| **escuta < de).count();
    let longas = escutas.iter().filter(|escuta| **escuta > ate).count();
    let todas = escutas.len();
    let viu = format!("depois de COMPRAR, a conexão ficou {} sem pedir", entre(menor, maior));
    // Uma ou outra pode ser de quem foi interrompido; um décimo delas é o costume.
    let costume = |vezes: usize| vezes * 10 > todas;
    if costume(curtas) && escuta_em_outra(visto, escala) {
        return (Estado::NaoSeViu, format!("{viu}; {EM_OUTRA}"));
    }
    if costume(curtas) {
        let minimo = formatar(escala.segundos(5));
        let porque = format!("{viu}: menos de {minimo} em {curtas} de {todas} vezes");
        return (Estado::NaoCumprido, porque);
    }
    if costume(longas) {
        let maximo = formatar(escala.segundos(10));
        let porque = format!("{viu}: é mais de {maximo}, e daqui não se vê se ainda escutava");
        return (Estado::NaoSeViu, porque);
    }
    (Estado::Cumprido, viu)
}

pub(super) fn aberta(visto: &Visto, escala: Escala) -> Conclusao {
    let (mut ficaram, mut sairam) = (0, 0);
    for conexao in &visto.conexoes {
        let Some(ultima) = conexao.pedidos.last().filter(|ultimo| ultimo.compra) else { continue };
        let ficou = match conexao.saiu {
            None => true,
            Some(fim) => {
                fim.saturating_sub(ultima.quando) + visto.atraso_em(ultima.quando)
                    >= escala.segundos(1)
            }
        };
        // Quem ouviu o AVISO já tem o que esperava: pode sair. E quem fez vários pedidos a manteve entre eles.
        if ficou || conexao.aviso.is_some() || conexao.compras() >= 2 {
            ficaram += 1;
        } else {
            sairam += 1;
        }
    }
    match (ficaram, sairam) {
        (0, 0) => (Estado::NaoSeViu, "nenhuma conexão terminou com uma compra".into()),
        _ if sairam > 0 && escuta_em_outra(visto, escala) => (Estado::NaoSeViu, EM_OUTRA.into()),
        (_, sairam) if sairam * 10 > ficaram + sairam => (
            Estado::NaoCumprido,
            format!(
                "{sairam} de {} {} logo depois de uma só compra",
                contar(ficaram + sairam, "conexão", "conexões"),
                concorda(sairam, "se fechou", "se fecharam")
            ),
        ),
        _ => {
            let ficaram =
                contar(ficaram, "conexão continuou aberta", "conexões continuaram abertas");
            (Estado::Cumprido, format!("{ficaram} depois da compra"))
        }
    }
}
