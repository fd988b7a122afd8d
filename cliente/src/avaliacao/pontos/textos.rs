//! Protocolo (§10): cada comando tem a resposta que o enunciado escreve?

use protocolo::Mensagem;

use super::comum::{COMPRA, conferencia, mostrar};
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::costumes::PRAZO;
use crate::avaliacao::evidencias::{Conversa, Evidencias};
use crate::avaliacao::sonda::Troca;
use crate::tempo::formatar;

/// Protocolo, 2,0: "comandos COMPRAR/CONSULTAR funcionam conforme especificado" (§3.2).
pub fn protocolo(vistas: &Evidencias, estoque: u64) -> Vec<Conferencia> {
    let Conversa { inicial, consultas, compras, recusas, contradicao, .. } = &vistas.conversa;
    let e_estoque = |m: &Mensagem| matches!(m, Mensagem::Estoque(_));
    let e_compra = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let e_recusa = |m: &Mensagem| matches!(m, Mensagem::Esgotado);
    let forma =
        |tentou: &str, trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool| {
            let (fracao, viu) = texto(trocas, esperada, certa);
            conferencia(tentou, 0.6, fracao, viu)
        };
    if vistas.extravio {
        return extraviadas();
    }
    let mut compra = forma("COMPRAR com estoque", compras, COMPRA, &e_compra);
    if let Some(contradicao) = contradicao {
        compra = conferencia(
            compra.tentou,
            compra.de,
            0.0,
            format!("os números não batem: {contradicao}"),
        );
    }
    let mut recusa = forma("COMPRAR sem estoque", recusas, "ERRO: Produto esgotado", &e_recusa);
    if vistas.conversa.sobras {
        let sobra = "mandou mais respostas do que pedidos: quem pede não sabe qual é a sua";
        compra = conferencia(compra.tentou, compra.de, 0.0, sobra);
        // A que sobrou pode ter vindo no lugar da recusa; se a recusa se viu nas disputas, não se cobra de novo.
        if recusas.iter().any(Troca::vendeu) && vistas.rodadas.iter().any(|r| r.recusas > 0) {
            let viu = "veio a resposta de uma venda, repetida; nas disputas, a recusa se viu";
            recusa = conferencia(recusa.tentou, recusa.de, 1.0, viu);
        }
    }
    let leu = inicial.map_or("não se entendeu".into(), |inicial| format!("leu {inicial}"));
    let certo = *inicial == Some(i128::from(estoque));
    vec![
        conferencia(
            format!("o estoque começa em {estoque}"),
            0.2,
            if certo { 1.0 } else { 0.0 },
            leu,
        ),
        forma("CONSULTAR", consultas, "Estoque atual: 10", &e_estoque),
        compra,
        recusa,
    ]
}

/// Um cliente sozinho recebe as respostas; de dois, um recebe as do outro. Quem pede não é respondido, e não
/// há comando que funcione.
fn extraviadas() -> Vec<Conferencia> {
    let tentou = "um cliente conectado antes de outro pede CONSULTAR";
    let viu = "a resposta foi para o outro, que nada tinha pedido";
    vec![conferencia(tentou, 2.0, 0.0, viu)]
}

/// Que fração vale o texto destas respostas: letra por letra, tudo; com o mesmo sentido, metade.
fn texto(trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool) -> (f64, String) {
    let Some(primeira) = trocas.first() else { return (0.0, "não se chegou a ver".into()) };
    if let Some(muda) = trocas.iter().find(|troca| troca.resposta.is_none()) {
        let viu = if muda.demora < PRAZO {
            "a conexão fechou antes da resposta".into()
        } else {
            format!("ficou sem resposta em {}", formatar(muda.demora))
        };
        return (0.0, viu);
    }
    let estranha = trocas.iter().find(|troca| !troca.mensagem().is_some_and(|m| certa(&m)));
    if let Some(estranha) = estranha {
        return (0.0, format!("esperava '{esperada}', e veio '{}'", mostrar(estranha)));
    }
    match trocas.iter().find(|troca| !troca.ao_pe_da_letra()) {
        None => (1.0, format!("'{}', letra por letra", mostrar(primeira))),
        Some(parecida) => {
            (0.5, format!("o sentido é o de '{esperada}', mas veio '{}'", mostrar(parecida)))
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::regra::Regra;
    use crate::avaliacao::pontos::exemplos::{certas, valem, violacao};

    #[test]
    fn o_texto_vale_letra_por_letra_ou_metade_ou_nada() {
        let casos = [
            (Some("Estoque atual: 10"), 0.6, "'Estoque atual: 10', letra por letra"),
            (Some("estoque atual: 10"), 0.3, "o sentido é o de 'Estoque atual: 10'"),
            (Some("Tenho 10"), 0.0, "esperava 'Estoque atual: 10', e veio 'Tenho 10'"),
            (Some("Compra realizada. Estoque restante: 9"), 0.0, "esperava"),
            (None, 0.0, "a conexão fechou antes da resposta"),
        ];
        for (resposta, pontos, frase) in casos {
            let mut vistas = certas();
            vistas.conversa.consultas[1].resposta = resposta.map(String::from);
            let conferencias = protocolo(&vistas, 10);
            valem(&conferencias, &[0.2, pontos, 0.6, 0.6]);
            assert!(conferencias[1].viu.contains(frase), "{}", conferencias[1].viu);
        }
        let mut vistas = certas();
        vistas.conversa.recusas[0].resposta = None;
        vistas.conversa.recusas[0].demora = PRAZO;
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.6, 0.0]);
        assert_eq!(conferencias[3].viu, "ficou sem resposta em 3,00 s");
    }

    #[test]
    fn o_estoque_inicial_e_os_numeros_que_nao_batem_tem_o_seu_preco() {
        let mut vistas = certas();
        valem(&protocolo(&vistas, 5), &[0.0, 0.6, 0.6, 0.6]);
        vistas.conversa.contradicao = Some(violacao(Regra::VendaRepetida));
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.0, 0.6]);
        assert!(conferencias[2].viu.contains("os números não batem: a mesma unidade"));
        vistas.conversa = Conversa::default();
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.0; 4]);
        assert_eq!(
            (&*conferencias[0].viu, &*conferencias[3].viu),
            ("não se entendeu", "não se chegou a ver")
        );
    }

    #[test]
    fn o_texto_de_um_desconhecido_vem_curto_e_sem_controle() {
        let mut vistas = certas();
        vistas.conversa.consultas[0].resposta = Some(format!("\u{1b}[2J{}", "x".repeat(500)));
        let viu = &protocolo(&vistas, 10)[1].viu;
        assert!(viu.contains(r"\u{1b}[2Jxxx") && viu.len() < 200, "{viu}");
    }
}
