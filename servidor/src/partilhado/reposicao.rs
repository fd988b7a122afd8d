//! Mais unidades em um estoque repartido, com servidores abertos ou fechados (`--repor`).

use std::time::{Duration, Instant};

use protocolo::terminal::hora_do_relogio;

use super::chaves::{BALANCO, Balanco, ENTRADAS, ESTOQUE, Entrada, chave_da_entrada};
use super::erro::Erro;
use super::etcd::{Condicao, Feito, Par, Resposta, SemResposta, Transacao};
use super::gateway::Gateway;
use super::{Contas, extrato};

/// Quanto se insiste.
const PRAZO: Duration = Duration::from_secs(8);

/// Acrescenta `unidades`, e diz como ficou o estoque.
///
/// As que entram ficam nas posições depois da última tomada: quem ouviu "esgotado" não passa a ter comprado. Só
/// valem se ninguém pediu nada desde que se leu o balanço; se pediram, lê-se outra vez.
///
/// # Errors
///
/// O etcd não responde, não há estoque, ou não se conta tanto.
pub fn repor(urls: &str, unidades: u64) -> Result<Contas, Erro> {
    let mut gateway = Gateway::novo(urls)?;
    let limite = Instant::now() + PRAZO;
    // O instante é o de uma reposição só: por ele se reconhece a que valeu sem que se soubesse. Em milissegundos, duas
    // pedidas ao mesmo tempo teriam o mesmo, e uma diria que entrou sem ter entrado.
    let instante = humantime::format_rfc3339_nanos(hora_do_relogio()).to_string();
    loop {
        match tentar(&mut gateway, unidades, &instante) {
            Ok(Some(balanco)) => {
                let vendidas = extrato::vendidas(&mut gateway)?;
                let (restantes, servidores) = (balanco.a_venda(), balanco.caixas.len());
                return Ok(Contas { vendidas, restantes, servidores });
            }
            Ok(None) => {}
            Err(Tentativa::Erro(erro)) => return Err(erro),
            Err(Tentativa::Duvida(porque)) => {
                if Instant::now() >= limite {
                    return Err(Erro::sem_resposta(&gateway, &porque));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

enum Tentativa {
    Erro(Erro),
    Duvida(SemResposta),
}

impl From<SemResposta> for Tentativa {
    fn from(porque: SemResposta) -> Self {
        Tentativa::Duvida(porque)
    }
}

/// `None`: alguém pediu no meio.
fn tentar(
    gateway: &mut Gateway,
    unidades: u64,
    instante: &str,
) -> Result<Option<Balanco>, Tentativa> {
    let lido = gateway.pedir(&ler())?;
    let preparada = escrever(&lido, unidades, instante).map_err(Tentativa::Erro)?;
    let Some((reposicao, balanco)) = preparada else {
        // A anterior tinha valido: a resposta é que se perdeu.
        return Balanco::ler(&do_balanco(&lido)).map(Some).map_err(estragado);
    };
    Ok(gateway.pedir(&reposicao)?.valeu.then_some(balanco))
}

fn estragado(chave: String) -> Tentativa {
    Tentativa::Erro(Erro::Estragado(chave))
}

/// O que se lê antes de repor.
pub fn ler() -> Transacao {
    let tudo = [BALANCO, ENTRADAS].map(|prefixo| Feito::Ler(prefixo.into(), None));
    Transacao { entao: tudo.into(), ..Transacao::default() }
}

fn do_balanco(lido: &Resposta) -> Vec<Par> {
    lido.pares.iter().filter(|par| par.chave.starts_with(BALANCO)).cloned().collect()
}

/// A transação que repõe sobre o que se leu, e o balanço que ela deixa; `None`, se uma deste `instante` já valeu.
///
/// # Errors
///
/// Não há estoque, não é deste cluster, ou não se conta tanto.
pub fn escrever(
    lido: &Resposta,
    unidades: u64,
    instante: &str,
) -> Result<Option<(Transacao, Balanco)>, Erro> {
    let mut balanco = Balanco::ler(&do_balanco(lido)).map_err(Erro::Estragado)?;
    let havia = balanco.entradas.ok_or(Erro::SemEstoque)?;
    if balanco.cluster != lido.cluster {
        return Err(Erro::OutroCluster);
    }
    let entradas: Vec<_> =
        lido.pares.iter().filter(|par| par.chave.starts_with(ENTRADAS)).collect();
    if entradas
        .iter()
        .any(|par| Entrada::ler(par).is_ok_and(|entrada| entrada.instante == instante))
    {
        return Ok(None);
    }
    let base = havia.max(balanco.pedidas());
    let total = base.checked_add(unidades).ok_or(Erro::NaoCabe)?;
    balanco.entradas = Some(total);
    let nova = Entrada { posicao: base, unidades, instante: instante.to_owned() };
    let reposicao = Transacao {
        se: vec![Condicao::NadaMudouDesde(BALANCO.into(), lido.revisao)],
        entao: vec![
            Feito::Escrever(ESTOQUE.into(), format!("{total} {}", balanco.cluster)),
            Feito::Escrever(chave_da_entrada(entradas.len() as u64), nova.texto()),
        ],
        senao: Vec::new(),
    };
    Ok(Some((reposicao, balanco)))
}
