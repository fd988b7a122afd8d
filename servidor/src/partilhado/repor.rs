//! Mais unidades em um estoque repartido, com servidores abertos ou fechados (`--repor`).

use std::time::{Duration, Instant};

use super::chaves::{BALANCO, Balanco, ESTOQUE, chave_da_entrada};
use super::erro::Erro;
use super::etcd::{Condicao, Feito, SemResposta, Transacao};
use super::gateway::Gateway;
use super::{Contas, agora, extrato};

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
    // O instante é o de uma reposição só: por ele se reconhece a que valeu sem que se soubesse.
    let marca = format!("{unidades} {}", agora());
    loop {
        match tentar(&mut gateway, unidades, &marca) {
            Ok(Some(balanco)) => {
                let vendidas = extrato::vendidas(&mut gateway)?;
                let (restantes, servidores) = (balanco.a_venda(), balanco.caixas.len());
                return Ok(Contas { vendidas, restantes, servidores });
            }
            Ok(None) => {}
            Err(Tentativa::Erro(erro)) => return Err(erro),
            Err(Tentativa::Duvida(porque)) => {
                if Instant::now() >= limite {
                    return Err(Erro::SemResposta {
                        urls: gateway.urls(),
                        porque: porque.to_string(),
                    });
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
fn tentar(gateway: &mut Gateway, unidades: u64, marca: &str) -> Result<Option<Balanco>, Tentativa> {
    let ler = Transacao {
        entao: vec![
            Feito::Ler(BALANCO.into(), None),
            Feito::Ler(super::chaves::ENTRADAS.into(), None),
        ],
        ..Transacao::default()
    };
    let lido = gateway.pedir(&ler)?;
    let (do_balanco, entradas): (Vec<_>, Vec<_>) =
        lido.pares.into_iter().partition(|par| par.chave.starts_with(BALANCO));
    let estragado = |chave| Tentativa::Erro(Erro::Estragado(chave));
    let mut balanco = Balanco::ler(&do_balanco).map_err(estragado)?;
    let havia = balanco.entradas.ok_or(Tentativa::Erro(Erro::SemEstoque))?;
    if balanco.cluster != lido.cluster {
        return Err(Tentativa::Erro(Erro::OutroCluster));
    }
    if entradas.iter().any(|par| par.valor == marca) {
        // A anterior tinha valido: a resposta é que se perdeu.
        return Ok(Some(balanco));
    }
    let base = havia.max(balanco.pedidas());
    let total = base.checked_add(unidades).ok_or(Tentativa::Erro(Erro::NaoCabe))?;
    let resposta = gateway.pedir(&Transacao {
        se: vec![Condicao::NadaMudouDesde(BALANCO.into(), lido.revisao)],
        entao: vec![
            Feito::Escrever(ESTOQUE.into(), format!("{total} {}", balanco.cluster)),
            Feito::Escrever(chave_da_entrada(base), marca.to_owned()),
        ],
        senao: Vec::new(),
    })?;
    balanco.entradas = Some(total);
    Ok(resposta.valeu.then_some(balanco))
}
