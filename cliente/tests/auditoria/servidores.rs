//! Um estoque vendido por vários servidores: as regras do estoque valem entre eles, e o AVISO é de cada um.

use cliente::auditoria::regra::Aviso;
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::{TOLERANCIA_ENTRE_SERVIDORES, auditar, visitas};
use cliente::conversa::desfecho::Desfecho::{Comprou, ForaDeAlcance, Leu, Recusado};
use cliente::historia::vivido::{Historia, Qual};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::contador::{Defeito, Plano, planos};
use crate::exemplos::*;

const QUANTOS: usize = 3;

/// A mesma história, vivida no servidor deste número.
fn em(servidor: usize, mut historia: Historia) -> Historia {
    let servidor = Qual::de(servidor - 1, QUANTOS);
    historia.conexoes.iter_mut().for_each(|conexao| conexao.servidor = servidor);
    historia.operacoes.iter_mut().for_each(|operacao| operacao.servidor = servidor);
    historia
}

/// Quem leva a última unidade no servidor 1, de 2000 a 2010, e é avisado.
fn ultimo_comprador() -> Historia {
    em(1, historia(1, vec![operacao(0, 1, Leu(1)), operacao(2000, 2010, Comprou(0))], &[2015]))
}

/// Quem está no servidor 2 desde antes do esgotamento.
fn presente_no_outro(avisos: &[u64]) -> Historia {
    em(2, historia(2, vec![operacao(0, 1, Leu(1))], avisos))
}

/// O servidor 2 diz a alguém, de 2500 a 3000, que acabou.
fn o_outro_soube() -> Historia {
    em(2, so(3, 2500, 3000, Recusado))
}

fn regras(historias: &[Historia], estoque: Option<u64>) -> Vec<&'static str> {
    auditar(historias, estoque).violacoes.iter().map(|v| v.regra.nome()).collect()
}

#[test]
fn a_mesma_unidade_vendida_por_dois_servidores_e_achada_e_se_diz_por_quais() {
    let historias = [em(1, so(1, 0, 10, Comprou(4))), em(2, so(2, 5, 12, Comprou(4)))];
    assert_eq!(
        violacao(&historias),
        "a mesma unidade vendida duas vezes: o usuário 1 comprou e restaram 4 aos 0,010000 s no servidor 1, \
         e o usuário 2 comprou e restaram 4 aos 0,012000 s no servidor 2"
    );
}

#[test]
fn quem_leu_7_em_um_nao_le_8_em_outro_depois() {
    let historias = [em(1, so(1, 0, 10, Leu(7))), em(2, so(2, 11, 12, Leu(8)))];
    assert_eq!(regras(&historias, None), ["estoque-subiu"]);
    // Enquanto a primeira leitura estava em curso, podia.
    passa(&[em(1, so(1, 0, 10, Leu(7))), em(2, so(2, 9, 12, Leu(8)))], None);
}

#[test]
fn um_servidor_que_nao_se_viu_saber_do_esgotamento_nao_e_acusado() {
    for avisos in [&[][..], &[9000]] {
        let historias = [ultimo_comprador(), presente_no_outro(avisos)];
        let veredito = auditar(&historias, Some(1));
        assert_eq!((veredito.violacoes.as_slice(), veredito.aviso()), (&[][..], Aviso::Certo));
        let esperada = match avisos {
            [] => {
                "do AVISO no servidor 2 nada se afirma: ninguém o ouviu dele, nem se viu que ele soubesse \
                 do esgotamento"
            }
            _ => "o AVISO levou 6,99 s para chegar a todos",
        };
        assert_eq!(veredito.observacoes, [esperada]);
    }
}

#[test]
fn quem_disse_que_acabou_deve_o_aviso_aos_seus_com_a_tolerancia_dele() {
    assert_eq!(TOLERANCIA_ENTRE_SERVIDORES, ms(2000));
    let calado = [ultimo_comprador(), presente_no_outro(&[]), o_outro_soube()];
    let veredito = auditar(&calado, Some(1));
    assert_eq!((veredito.estoque(), veredito.aviso()), (Estoque::Consistente, Aviso::Faltou));
    assert_eq!(
        veredito.violacoes[0].to_string(),
        "AVISO perdido: o usuário 2, conectado de 0,000000 s a 100,000000 s no servidor 2, nada recebeu, e \
         o usuário 1 comprou e restaram 0 aos 2,010000 s no servidor 1"
    );
    // Quem só ficou até o fim da tolerância pode ter saído antes de ele chegar.
    let mut cedo = presente_no_outro(&[]);
    cedo.conexoes[0].fechou = Some(ms(5000));
    passa(&[ultimo_comprador(), cedo, o_outro_soube()], Some(1));
    // A tolerância conta de quando ele disse, e é maior que a de quem vendeu.
    let avisado_aos = |quando| [ultimo_comprador(), presente_no_outro(&[quando]), o_outro_soube()];
    passa(&avisado_aos(5000), Some(1));
    assert_eq!(regras(&avisado_aos(5001), Some(1)), ["aviso-atrasado"]);
    // Recusar antes de avisar não é erro, nem avisar antes de recusar.
    passa(&avisado_aos(3001), Some(1));
    passa(&avisado_aos(2011), Some(1));
}

#[test]
fn quem_avisou_um_deve_o_aviso_aos_outros() {
    let avisado = em(2, historia(3, vec![operacao(0, 1, Leu(1))], &[9000]));
    let historias = [ultimo_comprador(), presente_no_outro(&[]), avisado];
    assert_eq!(regras(&historias, Some(1)), ["aviso-perdido"]);
}

#[test]
fn o_servidor_que_vendeu_a_ultima_tem_a_tolerancia_de_sempre() {
    let mut comprador = ultimo_comprador();
    comprador.conexoes[0].avisos = vec![ms(3510)];
    assert_eq!(regras(&[comprador, presente_no_outro(&[2020])], None), ["aviso-atrasado"]);
}

#[test]
fn ninguem_avisa_enquanto_outro_servidor_ainda_vende() {
    let avisado = presente_no_outro(&[1999]);
    assert_eq!(regras(&[ultimo_comprador(), avisado], None), ["aviso-adiantado"]);
}

#[test]
fn a_conexao_com_o_servidor_que_morreu_nao_deve_nada() {
    let mut caida = em(2, historia(2, vec![operacao(0, 1, Leu(1)), sem_resposta(1990)], &[]));
    caida.conexoes[0].caiu = true;
    caida.conexoes[0].fechou = Some(ms(2005));
    // A última venda pode ter sido a que ficou sem resposta, no servidor que morreu.
    let recusado =
        em(1, historia(1, vec![operacao(0, 1, Leu(1)), operacao(2010, 2020, Recusado)], &[2030]));
    passa(&[caida, recusado], Some(1));
}

#[test]
fn o_aviso_a_quem_chegou_depois_conta_de_quando_o_servidor_soube() {
    let chegou_aos = |pediu: u64| {
        let mut historia = em(2, historia(9, vec![], &[pediu + 1]));
        historia.conexoes[0].pediu = ms(pediu);
        [ultimo_comprador(), o_outro_soube(), historia]
    };
    passa(&chegou_aos(5000), None);
    assert_eq!(regras(&chegou_aos(5001), None), ["aviso-a-quem-chegou-depois"]);
    // Sem que se saiba quando ele soube, podia estar sabendo agora.
    let [comprador, _, depois] = chegou_aos(5001);
    passa(&[comprador, depois], None);
}

#[test]
fn visita_se_cada_servidor_de_que_alguem_ouviu_o_aviso() {
    let qual = |numero: usize| Qual::de(numero - 1, QUANTOS);
    let historias = [ultimo_comprador(), presente_no_outro(&[2500])];
    assert_eq!(visitas(&historias), [(qual(1), ms(3011)), (qual(2), ms(4501))]);
    let historias = [ultimo_comprador(), presente_no_outro(&[])];
    assert_eq!(visitas(&historias), [(qual(1), ms(3011))]);
}

#[test]
fn fora_de_alcance_nao_vende_nem_deixa_duvida() {
    // Tentou de novo, e a unidade ainda estava lá.
    let tentou = em(
        1,
        historia(1, vec![operacao(0, 9, ForaDeAlcance), operacao(10, 12, Comprou(0))], &[13]),
    );
    passa(&[tentou], Some(1));
    // Disse que nada vendeu, e vendeu.
    let mentiu = [em(1, so(1, 0, 9, ForaDeAlcance)), em(2, so(2, 10, 12, Comprou(0)))];
    assert_eq!(regras(&mentiu, Some(2)), ["unidade-sumiu"]);
    let so_isso = auditar(&[em(1, so(1, 0, 9, ForaDeAlcance))], Some(2));
    assert_eq!(
        so_isso.frase_do_estoque(),
        "SEM VEREDITO sobre as vendas: toda compra ouviu que o estoque está fora de alcance"
    );
}

/// Espalha as conexões pelos servidores, de um jeito que o sorteio decide.
fn espalhar(historias: &mut [Historia], sorteio: &[usize]) {
    for historia in historias {
        let usuario = historia.usuario;
        let servidor =
            |numero: u32| Qual::de(sorteio[(usuario + numero as usize) % sorteio.len()], QUANTOS);
        historia.conexoes.iter_mut().for_each(|p| p.servidor = servidor(p.numero));
        historia.operacoes.iter_mut().for_each(|o| o.servidor = servidor(o.conexao));
    }
}

/// Vive o plano em vários servidores certos. A notícia do esgotamento chega a cada um com o atraso dele, ou antes, se ele
/// mesmo vendeu a última unidade ou leu o estoque para responder a alguém.
fn viver_em_varios(
    plano: &Plano,
    ate_esgotar: bool,
    sorteio: &[usize],
    atrasos: &[u64],
) -> Vec<Historia> {
    let (mut historias, esgotou) = plano.viver_sem_aviso(ate_esgotar);
    espalhar(&mut historias, sorteio);
    let respostas: Vec<(Qual, u64)> = historias
        .iter()
        .flat_map(|h| &h.operacoes)
        .filter_map(|o| {
            let (chegou, desfecho) = o.resposta.as_ref()?;
            desfecho.esgotou().then_some((o.servidor, chegou.as_millis() as u64))
        })
        .collect();
    let sabe = |servidor: Qual| {
        let respondeu = respostas.iter().filter(|(qual, _)| *qual == servidor).map(|(_, q)| *q);
        let esgotou = esgotou?;
        respondeu.chain([esgotou + atrasos[servidor.indice()]]).min().map(|q| q.max(esgotou))
    };
    plano.avisar(&mut historias, |conexao| sabe(conexao.servidor));
    historias
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Por mais que a notícia demore a chegar a um servidor, ninguém é acusado.
    #[test]
    fn varios_servidores_certos_nunca_sao_acusados(
        plano in planos(),
        ate_esgotar: bool,
        sorteio in prop::collection::vec(0..QUANTOS, 1..8),
        atrasos in prop::collection::vec(0u64..30_000, QUANTOS),
    ) {
        let com_outros = viver_em_varios(&plano, ate_esgotar, &sorteio, &atrasos);
        prop_assert_eq!(auditar(&com_outros, None).violacoes, []);
        let plano = plano.sem_outros_compradores();
        let historias = viver_em_varios(&plano, ate_esgotar, &sorteio, &atrasos);
        prop_assert_eq!(auditar(&historias, Some(plano.inicial)).violacoes, []);
    }

    /// O que um servidor só não pode fazer, vários juntos também não: o defeito aparece onde quer que caia.
    #[test]
    fn um_defeito_plantado_entre_servidores_sempre_aparece(
        plano in planos(),
        sorteio in any::<Index>(),
        quanto in 0u64..200,
        onde in prop::collection::vec(0..QUANTOS, 1..8),
    ) {
        // Estes dois pedem que o servidor de quem não ouviu, ou ouviu, tenha mostrado que sabia.
        let do_servidor = [Defeito::AvisoQueNaoVeio, Defeito::AvisoAQuemChegouDepois];
        for defeito in Defeito::TODOS.into_iter().filter(|d| !do_servidor.contains(d)) {
            let estoque = defeito.inicial_de(&plano);
            let mut historias = defeito.plantar(plano.clone(), sorteio, quanto);
            espalhar(&mut historias, &onde);
            let acusadas = regras(&historias, estoque);
            prop_assert!(
                acusadas.iter().any(|regra| defeito.regras().contains(regra)),
                "{:?}: {:?}", defeito, acusadas
            );
        }
    }
}
