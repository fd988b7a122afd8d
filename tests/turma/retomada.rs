//! A turma que se interrompe, ou se repete: o que está pronto não se avalia de novo.

use super::*;

#[test]
fn o_que_nao_mudou_nao_se_avalia_de_novo_e_o_que_mudou_sim() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("fica", "correto.py");
    turma.entregar("muda", "relatorio.pdf", "%PDF");
    turma.corrigir_em_python();
    assert_eq!(turma.nota("muda"), "0.00");
    let registro = turma.saida().join("registro/fica.json");
    let antes = fs::metadata(&registro).unwrap().modified().unwrap();
    turma.aluno("muda", "correto.py");
    let fim = turma.corrigir_em_python();
    assert!(fim.erro.contains("1 não mudaram"), "{}", fim.erro);
    assert_eq!(fs::metadata(&registro).unwrap().modified().unwrap(), antes);
    assert_eq!((turma.nota("fica"), turma.nota("muda")), ("10.00".into(), "10.00".into()));
}

#[test]
fn o_ctrl_c_guarda_o_que_se_fez_e_nao_deixa_ninguem() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("a", "relatorio.pdf", "%PDF");
    turma.aluno("b", "correto.py");
    turma.aluno("c", "correto.py");
    let demorada =
        [&EM_PYTHON[..], &["--ao-mesmo-tempo", "1", "--rodadas", "1000", "--compradores", "12"]]
            .concat();
    let mut corrida = turma.iniciar(&demorada);
    ate("a primeira acabar", || turma.saida().join("registro/a.json").exists().then_some(()));
    corrida.sinal(Signal::INT);
    let fim = corrida.termino();
    assert_eq!(fim.codigo, Some(130), "{fim:?}");
    assert_eq!(turma.linhas().keys().collect::<Vec<_>>(), ["a"]);
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(indice.contains("2 por avaliar"), "{indice}");
    ate("a cela acabar", || (!cela_aberta(&turma.pasta)).then_some(()));
}

/// Algum processo ainda usa esta turma?
fn cela_aberta(pasta: &TempDir) -> bool {
    let marca = pasta.path().file_name().unwrap().to_string_lossy().into_owned();
    let processos = fs::read_dir("/proc").unwrap().flatten();
    let comandos = processos.filter_map(|pid| fs::read(pid.path().join("cmdline")).ok());
    comandos.map(|c| String::from_utf8_lossy(&c).into_owned()).any(|c| c.contains(&marca))
}
