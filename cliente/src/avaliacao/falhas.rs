//! O tipo de falha de que cada ponto perdido é sinal: é o que decide o conselho. Funções puras, sobre o que as provas
//! viram; quanto custa, não é daqui.

use super::autopsia::DE_QUEM_SAIU;
use super::boletim::Item;
use super::evidencias::{Atras, Evidencias, Provocacao};
use super::pesos;
use super::sonda::Troca;
use crate::auditoria::regra::Regra;

/// Um tipo de falha, no vocabulário do enunciado.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falha {
    /// Nada do que diz é do protocolo.
    OutraLingua,
    /// Escuta em outra porta.
    PortaErrada,
    /// Atende um cliente por vez.
    UmPorVez,
    /// Quem manda meio comando prende os outros.
    MetadePrende,
    /// Fecha a conexão de quem ainda não pediu, ou depois de responder.
    FechaAConexao,
    /// Alguns dos clientes simultâneos não foram atendidos.
    NemTodosAtendidos,
    /// Vendeu mais do que havia, ou desceu abaixo de zero.
    SemLock,
    /// Disse o mesmo número a duas compras.
    LeForaDoLock,
    /// Os números se contradizem de outro modo.
    NumerosContraditorios,
    /// Compras sem resposta.
    LockPreso,
    /// Nada vendeu.
    NaoVende,
    /// O estoque não começa no que devia.
    EstoqueInicial,
    /// A resposta a CONSULTAR.
    TextoDeConsultar,
    /// A resposta a COMPRAR, com estoque.
    TextoDeComprar,
    /// A resposta a COMPRAR, sem estoque.
    TextoDaRecusa,
    /// Um número errado a quem compra sozinho.
    NumeroErrado,
    /// Mais respostas do que pedidos.
    RespostaAMais,
    /// A resposta de um vai para outro.
    RespostaExtraviada,
    /// Não sobrevive a uma conexão quebrada.
    CaiComReset,
    /// Não sobrevive a quem vai embora no meio de um comando.
    CaiNaMetade,
    /// Não sobrevive a bytes que não são comando.
    CaiComLixo,
    /// Um sinal o termina quando escreve a quem já saiu.
    CaiComSigpipe,
}

/// Diz de que falha é sinal cada conferência que ainda não o diz.
pub fn atribuir(itens: &mut [Item], vistas: &Evidencias) {
    let fala = |troca: &Troca| troca.se_entende();
    let conversa = &vistas.conversa;
    let trocas = conversa.consultas.iter().chain(&conversa.compras).chain(&conversa.recusas);
    let outra_lingua = !trocas.into_iter().any(fala);
    for item in itens {
        let falhas = match item.nome {
            pesos::MULTITHREADING => de_multithreading(vistas).to_vec(),
            pesos::EXCLUSAO_MUTUA => vec![da_disputa(vistas)],
            pesos::PROTOCOLO => do_protocolo(vistas),
            _ => da_robustez(vistas),
        };
        let por_dizer = item.conferencias.iter_mut().filter(|c| c.falha.is_none());
        for (conferencia, falha) in por_dizer.zip(falhas) {
            let geral = outra_lingua && item.nome != pesos::PROTOCOLO;
            conferencia.falha = Some(if geral { Falha::OutraLingua } else { falha });
        }
    }
}

fn de_multithreading(vistas: &Evidencias) -> [Falha; 3] {
    let um_por_vez = vistas.atras_do_calado == Atras::Bloqueado;
    let atras = |atras: &Atras, bloqueado| match atras {
        Atras::SemNinguemNaFrente => Falha::FechaAConexao,
        _ => bloqueado,
    };
    let juntos = if um_por_vez {
        Falha::UmPorVez
    } else if vistas.conversa.fecha_depois_de.contains(&"CONSULTAR") {
        Falha::FechaAConexao
    } else {
        Falha::NemTodosAtendidos
    };
    let metade = if um_por_vez { Falha::UmPorVez } else { Falha::MetadePrende };
    [
        atras(&vistas.atras_do_calado, Falha::UmPorVez),
        atras(&vistas.atras_da_metade, metade),
        juntos,
    ]
}

fn da_disputa(vistas: &Evidencias) -> Falha {
    let rodadas = &vistas.rodadas;
    let viola = |regra: fn(&Regra) -> bool| {
        rodadas.iter().flat_map(|r| &r.contradicoes).any(|violacao| regra(&violacao.regra))
    };
    let demais = rodadas
        .iter()
        .any(|r| r.havia.is_some_and(|havia| r.vendas > havia) && !r.contradicoes.is_empty());
    if demais || viola(|regra| matches!(regra, Regra::EstoqueNegativo)) {
        Falha::SemLock
    } else if viola(|regra| matches!(regra, Regra::VendaRepetida)) {
        Falha::LeForaDoLock
    } else if viola(|_| true) {
        Falha::NumerosContraditorios
    } else if rodadas.iter().any(|r| r.compradores < 2) || rodadas.is_empty() {
        Falha::UmPorVez
    } else if rodadas.iter().all(|r| r.vendas == 0 && r.estranhas == 0) {
        Falha::NaoVende
    } else if rodadas.iter().any(|r| r.estranhas > 0) {
        Falha::TextoDeComprar
    } else {
        Falha::LockPreso
    }
}

fn do_protocolo(vistas: &Evidencias) -> Vec<Falha> {
    if vistas.extravio {
        return vec![Falha::RespostaExtraviada];
    }
    let conversa = &vistas.conversa;
    let compra = if conversa.sobras {
        Falha::RespostaAMais
    } else if conversa.contradicao.is_some() {
        Falha::NumeroErrado
    } else {
        Falha::TextoDeComprar
    };
    vec![Falha::EstoqueInicial, Falha::TextoDeConsultar, compra, Falha::TextoDaRecusa]
}

/// Quem não sobrevive a uma prova perde as outras por causa dela.
fn da_robustez(vistas: &Evidencias) -> Vec<Falha> {
    let primeira = vistas.robustez.iter().find_map(|(provocacao, deixou)| {
        deixou.as_ref().map(|porque| da_queda(*provocacao, porque))
    });
    let cada = vistas.robustez.iter().map(|(provocacao, deixou)| match (deixou, primeira) {
        (None, Some(dela)) => dela,
        (deixou, _) => da_queda(*provocacao, deixou.as_deref().unwrap_or_default()),
    });
    cada.collect()
}

/// A falha é a da causa, se se sabe qual é: quem manda lixo também vai embora, e pode ser isso que derruba o servidor.
fn da_queda(provocacao: Provocacao, porque: &str) -> Falha {
    let disse = |textos: &[&str]| textos.iter().any(|texto| porque.contains(texto));
    match provocacao {
        _ if disse(&["SIGPIPE"]) => Falha::CaiComSigpipe,
        _ if disse(&DE_QUEM_SAIU) => Falha::CaiComReset,
        _ if disse(&["UnicodeDecodeError", "IndexError"]) => Falha::CaiComLixo,
        Provocacao::Resets => Falha::CaiComReset,
        Provocacao::Metades => Falha::CaiNaMetade,
        Provocacao::Lixo => Falha::CaiComLixo,
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::boletim::Conferencia;
    use crate::avaliacao::pontos::exemplos::{certas, provocacoes, rodada};
    use crate::avaliacao::pontos::{exclusao_mutua, multithreading, protocolo, robustez};

    /// As falhas dos pontos que se perderam.
    fn falhas(vistas: &Evidencias) -> Vec<Falha> {
        let item = |nome, conferencias| Item { nome, conferencias };
        let mut itens = vec![
            item(pesos::MULTITHREADING, multithreading(vistas, 50)),
            item(pesos::EXCLUSAO_MUTUA, exclusao_mutua(vistas, 50)),
            item(pesos::PROTOCOLO, protocolo(vistas, 10)),
            item(pesos::ROBUSTEZ, robustez(vistas)),
        ];
        atribuir(&mut itens, vistas);
        let perdeu = |c: &&Conferencia| c.pontos < c.de;
        let conferencias = itens.iter().flat_map(|item| item.conferencias.iter().filter(perdeu));
        let mut falhas: Vec<Falha> = conferencias.filter_map(|c| c.falha).collect();
        falhas.dedup();
        falhas
    }

    #[test]
    fn cada_falha_se_reconhece_pelo_que_se_viu() {
        assert_eq!(falhas(&certas()), []);
        let rodadas = vec![rodada(&[Regra::VendaRepetida])];
        assert_eq!(falhas(&Evidencias { rodadas, ..certas() }), [Falha::LeForaDoLock]);
        let rodadas = vec![rodada(&[Regra::EstoqueNegativo])];
        assert_eq!(falhas(&Evidencias { rodadas, ..certas() }), [Falha::SemLock]);
        let mut vistas = certas();
        vistas.rodadas[0].sem_resposta = 3;
        assert_eq!(falhas(&vistas), [Falha::LockPreso]);
        let mut vistas = certas();
        vistas.conversa.recusas[0].resposta = Some("acabou".into());
        assert_eq!(falhas(&vistas), [Falha::TextoDaRecusa]);
        let vistas = Evidencias { atras_da_metade: Atras::Bloqueado, ..certas() };
        assert_eq!(falhas(&vistas), [Falha::MetadePrende]);
        assert_eq!(falhas(&Evidencias { extravio: true, ..certas() }), [Falha::RespostaExtraviada]);
    }

    #[test]
    fn quem_atende_um_por_vez_tem_uma_falha_so() {
        let mut vistas = certas();
        vistas.atras_do_calado = Atras::Bloqueado;
        vistas.atras_da_metade = Atras::Bloqueado;
        for rodada in &mut vistas.rodadas {
            (rodada.atendidos, rodada.compradores, rodada.vendas) = (1, 1, 0);
        }
        assert_eq!(falhas(&vistas), [Falha::UmPorVez]);
    }

    #[test]
    fn a_falha_de_quem_cai_e_a_da_causa_e_nao_a_da_provocacao() {
        for (provocacao, porque, falha) in [
            (Provocacao::Lixo, "o servidor terminou com SIGPIPE (x)", Falha::CaiComSigpipe),
            (Provocacao::Resets, "o servidor terminou com SIGPIPE (x)", Falha::CaiComSigpipe),
            (Provocacao::Lixo, "o servidor terminou: BrokenPipeError: x", Falha::CaiComReset),
            (Provocacao::Resets, "o servidor terminou: IndexError: x", Falha::CaiComLixo),
            (Provocacao::Lixo, "o servidor terminou com SIGSEGV (x)", Falha::CaiComLixo),
            (Provocacao::Metades, "o servidor terminou", Falha::CaiNaMetade),
        ] {
            let mut vistas = certas();
            for (dela, deixou) in &mut vistas.robustez {
                *deixou = (*dela == provocacao).then(|| porque.into());
            }
            assert_eq!(falhas(&vistas), [falha], "{provocacao:?}: {porque}");
        }
    }

    #[test]
    fn as_provas_que_se_perdem_por_outra_tem_a_falha_da_outra() {
        let vistas = Evidencias { robustez: provocacoes([true, false, true]), ..certas() };
        assert_eq!(falhas(&vistas), [Falha::CaiNaMetade]);
    }
}
