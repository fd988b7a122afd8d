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
    assert!(
        fim.erro.ends_with("1 de 3 prontas; repita o mesmo comando para continuar\n"),
        "{fim:?}"
    );
    assert_eq!(fs::read_dir(turma.provisorios()).unwrap().count(), 0);
    assert_eq!(turma.linhas().keys().collect::<Vec<_>>(), ["a"]);
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(indice.contains("2 por avaliar"), "{indice}");
    ate("a cela acabar", || (!cela_aberta(&turma)).then_some(()));

    // O mesmo comando continua: só avalia o que falta.
    let registro = turma.saida().join("registro/a.json");
    let antes = fs::metadata(&registro).unwrap().modified().unwrap();
    for entrega in ["b", "c"] {
        fs::remove_dir_all(turma.entregas().join(entrega)).unwrap();
        turma.entregar(entrega, "relatorio.pdf", "%PDF");
    }
    let fim = turma.corrigir(&demorada);
    assert!(fim.erro.contains("1 não mudaram"), "{fim:?}");
    assert_eq!(fs::metadata(&registro).unwrap().modified().unwrap(), antes);
    assert_eq!(turma.linhas().keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let indice = turma.saida().join("index.html");
    let resumo = format!("média 0,0, mediana 0,0; 3 não abrem; abra {}\n", indice.display());
    assert!(fim.erro.ends_with(&resumo), "{fim:?}");
}

#[test]
fn o_ctrl_c_com_outros_pesos_nao_troca_o_que_se_publicou_por_menos() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("a", "relatorio.pdf", "%PDF");
    turma.entregar("b", "servidor.py", "if False: s.listen()\nimport time\ntime.sleep(1000)\n");
    let planilha = turma.entregas().with_file_name("notas.csv");
    fs::write(&planilha, "Full name,Grade,Feedback comments\na,,\nb,,\n").unwrap();
    let uma_a_uma = ["--ao-mesmo-tempo", "1", "--moodle", planilha.to_str().unwrap()];
    turma.corrigir(&[&uma_a_uma[..], &["--espera", "1s"]].concat());
    let publicadas = || {
        ["turma.csv", "index.html", "moodle.csv", "moodle-comentarios.zip"]
            .map(|nome| fs::read(turma.saida().join(nome)).unwrap())
    };
    let (antes, linhas) = (publicadas(), turma.linhas());
    assert_eq!(linhas.keys().collect::<Vec<_>>(), ["a", "b"]);

    let pesos = turma.entregas().with_file_name("pesos.toml");
    fs::write(&pesos, "robustez = 2.0\ncliente = 2.0\n").unwrap();
    let com_pesos = [&uma_a_uma[..], &["--pesos", pesos.to_str().unwrap()]].concat();
    let registro = || fs::read(turma.saida().join("registro/a.json")).unwrap();
    let registrado = registro();
    let mut corrida = turma.iniciar(&[&com_pesos[..], &["--espera", "100s"]].concat());
    ate("a primeira acabar", || (registro() != registrado).then_some(()));
    corrida.sinal(Signal::INT);
    let fim = corrida.termino();
    assert_eq!(fim.codigo, Some(130), "{fim:?}");
    let dito = "0 de 2 prontas; as notas publicadas são as de antes; repita o mesmo comando para continuar\n";
    assert!(fim.erro.ends_with(dito), "{fim:?}");
    assert!(publicadas() == antes, "{:?}", turma.linhas());

    // Até o fim, publica-se o novo.
    let fim = turma.corrigir(&[&com_pesos[..], &["--espera", "1s"]].concat());
    assert!(fim.erro.contains("; 2 não abrem; abra "), "{fim:?}");
    assert!(publicadas() != antes);
    assert!(turma.linhas().values().all(|linha| linha["cliente_pontos"] == "0.00"));
}

#[test]
fn fechar_o_terminal_tambem_para_a_turma_sem_deixar_nada() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("a", "servidor.py", "if False: s.listen()\nimport time\ntime.sleep(1000)\n");
    let mut corrida = turma.iniciar(&["--espera", "100s"]);
    ate("a cela abrir", || cela_aberta(&turma).then_some(()));
    corrida.sinal(Signal::HUP);
    let fim = corrida.termino();
    assert_eq!(fim.codigo, Some(130), "{fim:?}");
    assert_eq!(fs::read_dir(turma.provisorios()).unwrap().count(), 0);
    ate("a cela acabar", || (!cela_aberta(&turma)).then_some(()));
}

#[test]
fn com_outros_pesos_se_avalia_de_novo_e_com_os_mesmos_nao() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("a", "relatorio.pdf", "%PDF");
    let pesos = turma.entregas().with_file_name("pesos.toml");
    fs::write(&pesos, "robustez = 2.0\n").unwrap();
    let com_pesos = ["--pesos", pesos.to_str().unwrap()];
    turma.corrigir(&[]);
    for (opcoes, mudou) in [(&com_pesos[..], true), (&com_pesos, false), (&[], true)] {
        let fim = turma.corrigir(opcoes);
        assert_eq!(!fim.erro.contains("1 não mudaram"), mudou, "{opcoes:?}: {fim:?}");
    }
}

#[test]
fn duas_turmas_na_mesma_pasta_nao_e_a_que_morreu_nao_prende_a_seguinte() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("a", "relatorio.pdf", "%PDF");
    turma.entregar("b", "servidor.py", "if False: s.listen()\nimport time\ntime.sleep(1000)\n");
    let espera = ["--espera", "100s", "--ao-mesmo-tempo", "1"];
    let mut primeira = turma.iniciar(&espera);
    ate("a primeira acabar", || turma.saida().join("registro/a.json").exists().then_some(()));
    ate("a cela abrir", || cela_aberta(&turma).then_some(()));
    let segunda = turma.iniciar(&espera).termino();
    assert_eq!(segunda.codigo, Some(1), "{segunda:?}");
    assert!(segunda.erro.contains("outro `cliente turma` está a escrever"), "{segunda:?}");
    assert_eq!(segunda.erro.lines().count(), 1, "{segunda:?}");
    primeira.sinal(Signal::KILL);
    assert_eq!(primeira.termino().codigo, None);
    ate("a cela acabar", || (!cela_aberta(&turma)).then_some(()));

    // O que o SIGKILL não deixou apagar não é da turma seguinte.
    fs::remove_dir_all(turma.provisorios()).unwrap();
    fs::create_dir(turma.provisorios()).unwrap();
    turma.entregar("b", "servidor.py", "raise SystemExit\ns.listen()\n");
    let fim = turma.corrigir(&espera);
    assert!(fim.erro.contains("1 não mudaram"), "{fim:?}");
    assert_eq!(turma.nota("b"), "0.00");
}

/// Há uma cela desta turma, com uma entrega dentro?
fn cela_aberta(turma: &Turma) -> bool {
    algum_processo_diz(&[&turma.provisorios().to_string_lossy(), "corrigir"])
}
